"""Wheels: fetched through pip from folders made here, so that no index is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cartwheel.packaging import PackagingError, Pin, Target, fetch
from tests.support.wheels import make_wheel

TARGET = Target("3.12", "aarch64", 28)
RATES = Pin("acme-rates", "1.0")
FILES = {"acme_rates/__init__.py": b"rate = 3\n", "acme_rates/x.pyi": b"rate: int\n"}


@pytest.fixture
def shop_of_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that pip takes for its only source."""
    folder = tmp_path / "source"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_is_unpacked_without_stubs_and_with_its_metadata(
    tmp_path: Path, shop_of_wheels: Path
) -> None:
    files = {
        **FILES,
        "acme_rates-1.0.data/purelib/acme_more.py": b"more = 1\n",
        "acme_rates-1.0.data/scripts/rates": b"#!python\n",
        "acme_rates-1.0.dist-info/entry_points.txt": b"[x]\n",
    }
    make_wheel(shop_of_wheels, "acme-rates", "1.0", files)
    found = fetch([RATES], TARGET, cache=tmp_path / "cache")
    info = "acme_rates-1.0.dist-info"
    assert set(found) == {
        "acme_more.py",
        "acme_rates/__init__.py",
        *(f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
    }
    assert found["acme_rates/__init__.py"] == FILES["acme_rates/__init__.py"]
    record = found[f"{info}/RECORD"].decode()
    assert "acme_rates/__init__.py," in record
    assert ".pyi" not in record


def test_the_wheel_for_the_target_is_taken(tmp_path: Path, shop_of_wheels: Path) -> None:
    tags = {
        "cp312-cp312-manylinux_2_28_aarch64": b"right",
        "cp312-cp312-manylinux_2_28_x86_64": b"another machine",
        "cp312-cp312-manylinux_2_34_aarch64": b"newer glibc",
        "cp311-cp311-manylinux_2_28_aarch64": b"another python",
        "cp312-cp312-musllinux_1_2_aarch64": b"another libc",
    }
    for tag, content in tags.items():
        make_wheel(shop_of_wheels, "acme-rates", "1.0", {"rates.so": content}, tag=tag)
    assert fetch([RATES], TARGET, cache=tmp_path)["rates.so"] == b"right"


@pytest.mark.parametrize(
    "tag",
    ["cp39-abi3-manylinux2014_aarch64", "cp312-none-manylinux_2_17_aarch64", "py3-none-any"],
)
def test_wheels_of_other_tags_run_there_too(tmp_path: Path, shop_of_wheels: Path, tag: str) -> None:
    make_wheel(shop_of_wheels, "acme-rates", "1.0", {"rates.so": b"x"}, tag=tag)
    assert fetch([RATES], TARGET, cache=tmp_path)["rates.so"] == b"x"


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path, shop_of_wheels: Path) -> None:
    wheel = make_wheel(shop_of_wheels, "acme-rates", "1.0", FILES)
    first = fetch([RATES], TARGET, cache=tmp_path / "cache")
    wheel.unlink()
    assert fetch([RATES], TARGET, cache=tmp_path / "cache") == first
    with pytest.raises(PackagingError, match=r"no wheel of acme-rates==1\.0"):
        fetch([RATES], Target("3.12", "x86_64", 28), cache=tmp_path / "cache")


def test_the_users_cache_folder_is_used(
    tmp_path: Path, shop_of_wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(shop_of_wheels, "acme-rates", "1.0", FILES)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    fetch([RATES], TARGET)
    shelf = tmp_path / "mine" / "cartwheel" / "wheels" / "cp312-glibc2.28-aarch64"
    assert [path.name for path in shelf.iterdir()] == ["acme-rates==1.0"]


def test_a_kept_wheel_that_broke_is_refused_and_fetched_anew(
    tmp_path: Path, shop_of_wheels: Path
) -> None:
    make_wheel(shop_of_wheels, "acme-rates", "1.0", FILES)
    first = fetch([RATES], TARGET, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").rglob("*.whl")
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(PackagingError, match="is no wheel"):
        fetch([RATES], TARGET, cache=tmp_path / "cache")
    assert fetch([RATES], TARGET, cache=tmp_path / "cache") == first


@pytest.mark.parametrize(
    ("lies", "told"),
    [
        ({"acme_rates/__init__.py": b"rate = 4\n"}, "__init__.py is not what its record says"),
        ({"acme_rates/extra.py": b""}, "no hash of acme_rates/extra.py"),
    ],
)
def test_a_wheel_that_differs_from_its_record_is_refused(
    tmp_path: Path, shop_of_wheels: Path, lies: dict[str, bytes], told: str
) -> None:
    make_wheel(shop_of_wheels, "acme-rates", "1.0", FILES, lies=lies)
    with pytest.raises(PackagingError, match=told):
        fetch([RATES], TARGET, cache=tmp_path)


def test_a_missing_wheel_is_named_with_the_platform_and_what_to_do(
    tmp_path: Path, shop_of_wheels: Path
) -> None:
    make_wheel(shop_of_wheels, "acme-rates", "1.0", FILES, tag="cp312-cp312-win_amd64")
    told = r"(?s)no wheel of acme-rates==1\.0 for cp312-glibc2\.28-aarch64.*pip wheel.*as wheels"
    with pytest.raises(PackagingError, match=told):
        fetch([RATES], TARGET, cache=tmp_path)


def test_a_wheel_of_ones_own_comes_from_the_folder_and_is_not_kept(
    tmp_path: Path, shop_of_wheels: Path
) -> None:
    pin = Pin("acme-rates", "1.0", "file:///src/acme-rates")
    with pytest.raises(PackagingError, match="installed from file:///src/acme-rates, not from"):
        fetch([pin], TARGET, cache=tmp_path / "cache")
    # The one that the index has under the same name and version is another's.
    make_wheel(shop_of_wheels, "acme-rates", "1.0", {"rates.py": b"theirs"})
    own = tmp_path / "own"
    for content in (b"mine", b"mine again"):
        tag = "cp312-cp312-linux_aarch64"
        make_wheel(own, "acme-rates", "1.0", {"rates.py": content}, tag=tag)
        found = fetch([pin], TARGET, cache=tmp_path / "cache", wheels=own)
        assert found["rates.py"] == content


def test_a_folder_of_wheels_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="no folder of wheels"):
        fetch([RATES], TARGET, cache=tmp_path, wheels=tmp_path / "nowhere")


def test_two_distributions_with_the_same_path_must_agree(
    tmp_path: Path, shop_of_wheels: Path
) -> None:
    make_wheel(shop_of_wheels, "acme-rates", "1.0", {"acme/__init__.py": b"", "acme/a.py": b"1"})
    make_wheel(shop_of_wheels, "acme-taxes", "1.0", {"acme/__init__.py": b"", "acme/b.py": b"2"})
    make_wheel(shop_of_wheels, "acme-fees", "1.0", {"acme/a.py": b"3"})
    both = [RATES, Pin("acme-taxes", "1.0")]
    assert {"acme/__init__.py", "acme/a.py", "acme/b.py"} <= set(
        fetch(both, TARGET, cache=tmp_path / "cache")
    )
    with pytest.raises(PackagingError, match=r"acme-fees==1\.0 and acme-rates==1\.0 both hold"):
        fetch([*both, Pin("acme-fees", "1.0")], TARGET, cache=tmp_path / "cache")


@pytest.mark.parametrize("retries", ["0", "1"])
def test_an_index_that_does_not_answer_is_told_from_one_that_has_no_such_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: str
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    # Port 9 of this machine: nobody listens there.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", retries)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(PackagingError, match=r"index does not answer \(acme-rates==1\.0 for"):
        fetch([RATES], TARGET, cache=tmp_path)


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    scripts = "Scripts" if os.name == "nt" else "bin"
    code = (
        "import sys\nfrom pathlib import Path\n"
        "sys.executable = sys.argv[1]\n"
        "from cartwheel.packaging import *\n"
        "try:\n    fetch([Pin('acme-rates', '1.0')], Target('3.12', 'aarch64', 28),"
        " cache=Path(sys.argv[2]))\n"
        "except PackagingError as error:\n    print(error)\n"
    )
    python = str(tmp_path / "env" / scripts / Path(sys.executable).name)
    done = subprocess.run(
        [sys.executable, "-c", code, python, str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "has no pip" in done.stdout
    assert "-m ensurepip" in done.stdout
