"""Writes files into a zip archive whose bytes depend on nothing but the files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping

from cartwheel.packaging._errors import PackagingError

# The first moment that a zip can tell; a file's own time says when it was checked out, not more.
_TIME = (1980, 1, 1, 0, 0, 0)
_LEVEL = 9
_UNIX = 3
_REGULAR = 0o100000


def archive(files: Mapping[str, bytes], *, executable: Collection[str] = ()) -> bytes:
    """Return a zip of the files by their relative path; `executable` names those that are run.

    The bytes are the same on every machine with the same zlib: another version of it may deflate
    the same content to other bytes of about the same size. Raises PackagingError for a path that
    leads out of the archive, and for an executable that is not among the files.
    """
    unknown = sorted(set(executable) - set(files))
    if unknown:
        raise PackagingError(f"executable {', '.join(unknown)} is not among the files")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for path in sorted(files):
            _check(path)
            entry = zipfile.ZipInfo(path, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = (_REGULAR | (0o755 if path in executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, files[path], compresslevel=_LEVEL)
    return out.getvalue()


def unpacked_size(files: Mapping[str, bytes]) -> int:
    """Return the bytes that the files take when they are unpacked."""
    return sum(len(content) for content in files.values())


def _check(path: str) -> None:
    if "\\" in path or ":" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise PackagingError(f"'{path}' is no relative path of an archive")
