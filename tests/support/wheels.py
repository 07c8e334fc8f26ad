"""Makes small wheels and installed distributions, for tests of what reads them."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def metadata(name: str, version: str, needs: Sequence[str] = ()) -> bytes:
    """Write a distribution's METADATA."""
    wishes = "".join(f"Requires-Dist: {need}\n" for need in needs)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wishes}".encode()


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes],
    *,
    tag: str = "py3-none-any",
    lies: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a wheel into a folder; `lies` are the files that differ from what the record says."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    held = {
        **files,
        f"{info}/METADATA": metadata(name, version),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    rows = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in held.items()]
    held |= {**(lies or {}), f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()}
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{info.removesuffix('.dist-info')}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path, content in held.items():
            packed.writestr(path, content)
    return wheel


def install(
    folder: Path,
    name: str,
    version: str,
    needs: Sequence[str] = (),
    *,
    modules: Mapping[str, str] | None = None,
    direct_url: str | None = None,
) -> None:
    """Put a distribution into a folder of installed ones."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_bytes(metadata(name, version, needs))
    rows = [f"{path},," for path in modules or {}]
    info.joinpath("RECORD").write_text("\n".join([*rows, f"{info.name}/METADATA,,", ""]))
    if direct_url is not None:
        info.joinpath("direct_url.json").write_text(direct_url)
    for path, text in (modules or {}).items():
        folder.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(path).write_text(text)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
