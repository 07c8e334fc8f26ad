"""Archives: the same files are the same bytes."""

from __future__ import annotations

import io
import zipfile

import pytest

from cartwheel.packaging import PackagingError, archive, unpacked_size

FILES = {"b.py": b"b = 2\n", "a/x.txt": b"x" * 1000, "run": b"#!/bin/sh\n"}


def entries(content: bytes) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        return {entry.filename: entry for entry in packed.infolist()}


def test_the_order_of_the_files_changes_no_byte() -> None:
    assert archive(FILES) == archive(dict(reversed(FILES.items())))


def test_a_changed_byte_changes_the_archive() -> None:
    assert archive(FILES) != archive({**FILES, "b.py": b"b = 3\n"})


def test_an_archive_holds_what_it_was_given() -> None:
    with zipfile.ZipFile(io.BytesIO(archive(FILES))) as packed:
        assert packed.namelist() == sorted(FILES)
        assert {name: packed.read(name) for name in packed.namelist()} == FILES


def test_an_entry_tells_neither_when_nor_by_whom_it_was_made() -> None:
    found = entries(archive(FILES, executable=["run"]))
    assert {entry.date_time for entry in found.values()} == {(1980, 1, 1, 0, 0, 0)}
    modes = {name: oct(entry.external_attr >> 16) for name, entry in found.items()}
    assert modes == {"a/x.txt": "0o100644", "b.py": "0o100644", "run": "0o100755"}
    assert {entry.create_system for entry in found.values()} == {3}


def test_what_compresses_is_compressed() -> None:
    assert entries(archive(FILES))["a/x.txt"].compress_size < 100
    assert unpacked_size(FILES) == 1016


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a//b", "a/../../x", "./x", "", "a\\..\\x", "c:x", "a/"]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(PackagingError, match="no relative path"):
        archive({path: b""})


def test_an_executable_that_is_not_there_is_refused() -> None:
    with pytest.raises(PackagingError, match="boot is not among the files"):
        archive(FILES, executable=["boot"])
