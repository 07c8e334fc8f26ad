"""Unpacks a wheel the way an installer does, as far as a function needs it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping

from cartwheel.packaging._errors import PackagingError

_INSTALLED_DATA = ("purelib", "platlib")


def unpacked(wheel: bytes, name: str) -> dict[str, bytes]:
    """Return a wheel's files by the path that they have on Python's search path.

    Left out: type stubs, scripts, headers and data outside the packages. The metadata stays, for
    whoever asks for a version or an entry point, and licences do. Raises PackagingError when the
    content differs from the wheel's own record.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as packed:
            held = {
                entry.filename: packed.read(entry)
                for entry in packed.infolist()
                if not entry.is_dir()
            }
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise PackagingError(f"{name} is no wheel: {error}") from error
    record = _record_of(held, name)
    _check(held, record, name)
    files = dict(_placed(held))
    # A record that tells of what is not there would make importlib.metadata lie.
    files[record] = _shortened(held[record], files)
    return files


def _record_of(held: Mapping[str, bytes], name: str) -> str:
    found = [path for path in held if path.endswith(".dist-info/RECORD") and path.count("/") == 1]
    if len(found) != 1:
        raise PackagingError(f"{name} is no wheel: it has {len(found)} records")
    return found[0]


def _check(held: Mapping[str, bytes], record: str, name: str) -> None:
    hashes = {row[0]: row[1] for row in _rows(held[record]) if len(row) > 1}
    exempt = {record, f"{record}.jws", f"{record}.p7s"}
    for path in sorted(set(held) - exempt):
        kind, _, told = hashes.get(path, "").partition("=")
        if kind not in {"sha256", "sha384", "sha512"}:
            raise PackagingError(f"{name}: its record has no hash of {path}")
        digest = hashlib.new(kind, held[path]).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != told:
            raise PackagingError(f"{name}: {path} is not what its record says; fetch it again")


def _rows(record: bytes) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(record.decode("utf-8"), newline=""))


def _placed(held: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for path, content in held.items():
        first, _, rest = path.partition("/")
        kind, _, inside = rest.partition("/")
        if path.endswith(".pyi"):
            continue
        if not first.endswith(".data"):
            yield path, content
        elif kind in _INSTALLED_DATA:
            yield inside, content


def _shortened(record: bytes, files: Mapping[str, bytes]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(row for row in _rows(record) if row and row[0] in files)
    return out.getvalue().encode("utf-8")
