"""Packages for Lambda: what is refused before anything is fetched, and how sizes are told."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import cast

import pytest

from cartwheel.packaging import PackagingError, archive, sources_of
from cartwheel_aws import Package, Packages, packages
from cartwheel_aws.deploy._package import (
    _MODULES,
    Architecture,
    _check_size,
    _function,
    _lean,
    _target,
    _undeclared,
)

ROOT = Path(__file__).resolve().parents[3]
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("architecture", "python", "told"),
    [
        ("aarch64", "3.12", "no architecture 'aarch64'; it has arm64, x86_64"),
        ("arm64", "3.10", "run on Python 3.11, 3.12, 3.13, not on '3.10'"),
    ],
)
def test_what_lambda_has_not_is_refused(
    tmp_path: Path, architecture: str, python: str, told: str
) -> None:
    with pytest.raises(PackagingError, match=told):
        packages(
            "cartwheel_workflows.shop:app",
            tmp_path,
            {},
            architecture=cast("Architecture", architecture),
            python=python,
            cache=tmp_path,
        )


@pytest.mark.parametrize(
    ("python", "newest", "too_new"),
    [
        ("3.11", "manylinux_2_26_aarch64", "manylinux_2_28_aarch64"),
        ("3.13", "manylinux_2_34_aarch64", "manylinux_2_35_aarch64"),
    ],
)
def test_wheels_fit_the_runtimes_operating_system(python: str, newest: str, too_new: str) -> None:
    tags = _target("arm64", python).platforms
    assert tags[0] == newest
    assert too_new not in tags


def test_a_function_package_holds_a_readable_handler() -> None:
    text = "from cartwheel_workflows.shop import app\n"
    package = _function("orders", {"handler.py": text.encode()})
    with zipfile.ZipFile(io.BytesIO(package.content)) as packed:
        assert packed.namelist() == ["handler.py"]
        assert packed.read("handler.py").decode() == text
    assert package.unpacked == len(text)


def test_a_handler_that_is_no_python_is_refused() -> None:
    with pytest.raises(PackagingError, match="the handler of 'orders' is no Python"):
        _function("orders", {"handler.py": b"def handler(:\n"})


def test_a_package_has_its_hash_as_lambda_and_as_a_key_tell_it() -> None:
    package = Package(b"zip", 3)
    assert package.digest == hashlib.sha256(b"zip").hexdigest()
    assert base64.b64decode(package.code_sha256).hex() == package.digest


def test_a_function_that_is_larger_than_lambda_allows_is_refused_with_the_largest_parts() -> None:
    def sized(function: int) -> Packages:
        return Packages(
            Package(b"", 200 * MEGABYTE),
            Package(b"", 49 * MEGABYTE),
            {"orders": Package(b"", function)},
            (),
        )

    held = {"torch/a.so": b"x" * 3 * MEGABYTE, "torch/b.py": b"", "small/x.py": b"x"}
    _check_size(sized(MEGABYTE), held)
    told = r"'orders' is 250\.0 MB .* allows 250\.0 MB; the largest dependencies: torch 3\.0 MB, s"
    with pytest.raises(PackagingError, match=told):
        _check_size(sized(MEGABYTE + 1), held)


def test_an_import_that_no_package_holds_is_told() -> None:
    own = {
        "site/__init__.py": b"import requests, json, jwt, boto3, site.x\n",
        "cartwheel_outside/_stripe.py": b"import stripe\n",
    }
    (note,) = _undeclared(own, {"jwt/__init__.py": b""})
    assert "imports 'requests', which is in no package" in note


def test_every_module_that_is_left_out_is_there_to_be_left_out() -> None:
    whole = sources_of("cartwheel_aws:app", ROOT)
    modules = {path.removesuffix(".py").replace("/", ".") for path in whole}
    unknown = {
        name for name in _MODULES if name not in modules and f"{name}.__init__" not in modules
    }
    assert not unknown, f"{', '.join(sorted(unknown))} is gone: take it off the list"


@pytest.mark.parametrize("spec", ["cartwheel_workflows.shop:app", "hello:app"])
def test_what_runs_needs_nothing_that_is_left_out(spec: str) -> None:
    folder = ROOT / "examples" / "hello" if spec.startswith("hello") else ROOT
    files = sources_of(spec, folder, also=("cartwheel_aws",), leave_out=_MODULES)
    assert {"cartwheel_aws/_handler.py", "cartwheel_aws/_names.py"} <= set(files)
    assert not [path for path in files if "_lint" in path or path.endswith("plugin.py")]
    assert os.sep not in "".join(files) or os.sep == "/"


def test_the_frameworks_own_code_is_small() -> None:
    own = sources_of(
        "hello:app",
        ROOT / "examples" / "hello",
        also=("cartwheel_aws",),
        leave_out=_MODULES,
    )
    layer = {f"python/{path}": content for path, content in _lean(own).items()}
    assert len(archive(layer)) < 150_000
    assert own["hello.py"] == layer["python/hello.py"]
    assert len(own["cartwheel/app.py"]) > len(layer["python/cartwheel/app.py"])
