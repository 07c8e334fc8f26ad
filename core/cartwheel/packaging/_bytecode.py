"""Adds bytecode, because a function's folders are read-only: without it every start compiles."""

from __future__ import annotations

import importlib.util
import marshal
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import CodeType

from cartwheel.packaging._target import Target

# PEP 552: by a hash of the source that nobody checks, so that no time of a file matters.
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
# Later versions of the format note which objects are referenced elsewhere in this process, and so
# differ from one build to the next.
_MARSHAL_VERSION = 2


@dataclass(frozen=True, slots=True)
class Built:
    """Is files by their path, and what whoever builds them should know."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


def compiled(files: Mapping[str, bytes], target: Target, *, root: str) -> Built:
    """Add each module's .pyc, when the running Python is the target's; `root` is where they will
    be, `/opt/python`, and what tracebacks show.

    A file that is no Python of this version is left as it is: some wheels hold templates. The bytes
    are the same on every machine with the same patch release of Python.
    """
    if not target.is_running:
        note = (
            f"no .pyc inside: they need Python {target.python}, and this is another one; the first "
            "start of every function compiles what it imports"
        )
        return Built(dict(files), (note,))
    added: dict[str, bytes] = {}
    tag = f"cpython-{target.python.replace('.', '')}"
    for path, content in files.items():
        place = PurePosixPath(path)
        if place.suffix != ".py":
            continue
        code = _compile(content, f"{root}/{path}")
        if code is not None:
            pyc = place.parent / "__pycache__" / f"{place.stem}.{tag}.pyc"
            added[pyc.as_posix()] = _pyc(code, content)
    return Built({**files, **added})


def _compile(content: bytes, filename: str) -> CodeType | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(content, filename, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            return None


def _pyc(code: CodeType, source: bytes) -> bytes:
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return head + marshal.dumps(code, _MARSHAL_VERSION)
