"""The machine that a package is for, which is seldom the one that builds it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from cartwheel.packaging._errors import PackagingError

_MACHINES = ("aarch64", "x86_64")
_PYTHON = re.compile(r"3\.(\d{1,2})")

# The names that manylinux profiles had before they were named after the glibc that they need.
_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST = {"aarch64": 17, "x86_64": 5}


@dataclass(frozen=True, slots=True)
class Target:
    """Is CPython of a version, `3.12`, on Linux on a machine, `aarch64`, with glibc `2.<glibc>`."""

    python: str
    machine: str
    glibc: int

    def __post_init__(self) -> None:
        if not _PYTHON.fullmatch(self.python):
            raise PackagingError(f"'{self.python}' is no version of Python such as '3.12'")
        if self.machine not in _MACHINES:
            raise PackagingError(
                f"there is no machine '{self.machine}'; there are {', '.join(_MACHINES)}"
            )

    def __str__(self) -> str:
        return f"cp{self.python.replace('.', '')}-glibc2.{self.glibc}-{self.machine}"

    @property
    def is_running(self) -> bool:
        """Say whether the Python that runs this has the target's version, so can compile for it."""
        return sys.implementation.cache_tag == f"cpython-{self.python.replace('.', '')}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """Name the platform tags of wheels that run there, the newest first."""
        tags: list[str] = []
        for minor in range(self.glibc, _OLDEST[self.machine] - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _ALIASES:
                tags.append(f"{_ALIASES[minor]}_{self.machine}")
        # What `pip wheel` names a wheel that somebody built on such a machine.
        return (*tags, f"linux_{self.machine}")

    @property
    def environment(self) -> dict[str, str]:
        """Give what environment markers of requirements are evaluated with."""
        # Providers keep a runtime's patch release up to date, and do not say which it is.
        full = f"{self.python}.99"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full,
            "python_version": self.python,
            "sys_platform": "linux",
        }
