"""A stand-in that makes what it stands for at the first use: a client costs a third of a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

T = TypeVar("T")
_making = threading.RLock()


class _Lazily:
    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> object:
        # Reached for what is not there yet only: what was made answers from then on.
        with _making:
            if name not in self.__dict__:
                made = self._make()
                for each in dir(made):
                    if not each.startswith("_"):
                        self.__dict__[each] = getattr(made, each)
        found: object = self.__dict__[name]
        return found


if TYPE_CHECKING:

    def Lazily(make: Callable[[], T]) -> T:  # noqa: N802  # used like a class
        """Give what `make` makes, made when it is first used."""
        return cast("T", _Lazily(make))

else:
    Lazily = _Lazily
