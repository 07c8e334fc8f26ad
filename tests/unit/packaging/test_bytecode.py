"""Bytecode: used whatever the times of files are, and the same from every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cartwheel.packaging import Target, compiled

HERE = Target(f"{sys.version_info.major}.{sys.version_info.minor}", "x86_64", 34)
PYC = f"__pycache__/m.{sys.implementation.cache_tag}.pyc"
SOURCE = b"def said():\n    return 'first'\n"


def unpack(files: dict[str, bytes], folder: Path) -> Path:
    for path, content in files.items():
        folder.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(path).write_bytes(content)
    return folder


def run(code: str, *paths: Path, **environment: str) -> str:
    head = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", head + code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_bytecode_is_loaded_and_the_source_is_not_looked_at(tmp_path: Path) -> None:
    built = dict(compiled({"m.py": SOURCE}, HERE, root="/opt/python").files)
    built["m.py"] = SOURCE.replace(b"first", b"second")
    folder = unpack(built, tmp_path)
    assert run("import m; print(m.said(), m.__cached__)", folder) == f"first {folder / PYC}"
    (folder / PYC).unlink()
    assert run("import m; print(m.said())", folder) == "second"


def test_bytecode_tells_where_it_will_be_not_where_it_was_made() -> None:
    built = compiled({"m.py": SOURCE}, HERE, root="/opt/python").files
    assert b"/opt/python/m.py" in built[PYC]
    assert os.fsencode(Path.cwd()) not in built[PYC]


def test_bytecode_is_the_same_whatever_the_process_did_before() -> None:
    code = (
        "{before}\n"
        "import hashlib, sys\nfrom pathlib import Path\n"
        "from cartwheel.packaging import Target, compiled\n"
        "version = f'{{sys.version_info.major}}.{{sys.version_info.minor}}'\n"
        "root = Path(sys.modules['cartwheel'].__file__).parent\n"
        "files = {{p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob('*.py')}}\n"
        "built = compiled(files, Target(version, 'x86_64', 34), root='/opt').files\n"
        "assert len(built) == 2 * len(files)\n"
        "whole = sorted((p, hashlib.sha256(c).hexdigest()) for p, c in built.items())\n"
        "print(hashlib.sha256(repr(whole).encode()).hexdigest())\n"
    )
    paths = [Path(path) for path in sys.path if path]
    kept = ("import asyncio, json, email, decimal; kept = 'received reserved sold'.split()", "")
    found = {
        run(code.format(before=before), *paths, PYTHONHASHSEED=seed)
        for seed, before in zip(("1", "2"), kept, strict=True)
    }
    assert len(found) == 1


def test_without_the_targets_python_there_is_no_bytecode_and_a_note() -> None:
    built = compiled({"m.py": SOURCE}, Target("3.99", "x86_64", 34), root="/opt")
    assert built.files == {"m.py": SOURCE}
    assert len(built.notes) == 1
    assert "Python 3.99" in built.notes[0]


def test_what_is_no_python_of_this_version_is_left_as_it_is() -> None:
    files = {"t.py": b"{{ name }} = {% for %}\n", "n.py": b"a\0", "d.txt": b"x = 1", "e.py": b""}
    built = compiled(files, HERE, root="/opt")
    assert set(built.files) == {*files, PYC.replace("m.", "e.")}
    assert built.notes == ()


def test_a_dubious_literal_of_somebody_elses_is_no_error() -> None:
    assert len(compiled({"m.py": rb"x = '\d'"}, HERE, root="/opt").files) == 2
