"""Targets: which wheels run there, and what markers see."""

from __future__ import annotations

import sys

import pytest
from packaging.markers import Marker

from cartwheel.packaging import PackagingError, Target


def test_wheels_for_an_older_glibc_run_and_for_a_newer_one_do_not() -> None:
    tags = Target("3.12", "aarch64", 28).platforms
    assert tags[0] == "manylinux_2_28_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"} <= set(tags)
    assert not {"manylinux_2_29_aarch64", "manylinux2010_aarch64"} & set(tags)
    assert {"manylinux1_x86_64", "manylinux2010_x86_64"} <= set(
        Target("3.12", "x86_64", 17).platforms
    )


@pytest.mark.parametrize(
    ("marker", "applies"),
    [
        ("sys_platform == 'linux' and platform_machine == 'aarch64'", True),
        ("sys_platform == 'win32' or platform_system == 'Darwin'", False),
        ("python_version < '3.13' and implementation_name == 'cpython'", True),
        ("python_version >= '3.13'", False),
        ("python_full_version < '3.12.4'", False),
    ],
)
def test_markers_see_the_target_and_not_this_machine(marker: str, applies: bool) -> None:
    assert Marker(marker).evaluate(dict(Target("3.12", "aarch64", 34).environment)) is applies


def test_only_the_running_version_is_compiled_for() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert Target(here, "x86_64", 34).is_running
    assert not Target("3.99", "x86_64", 34).is_running


@pytest.mark.parametrize(
    ("python", "machine", "told"),
    [("3", "x86_64", "'3' is no version"), ("3.12", "arm64", "no machine 'arm64'")],
)
def test_a_target_that_is_none_is_refused(python: str, machine: str, told: str) -> None:
    with pytest.raises(PackagingError, match=told):
        Target(python, machine, 34)
