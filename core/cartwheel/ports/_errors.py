"""Errors that ports raise and that services declare."""

from __future__ import annotations

import re
from typing import ClassVar

from cartwheel.ports._json import Json

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class CartwheelError(Exception):
    """Is the root of every error that Cartwheel raises on purpose."""


class ConfigurationError(CartwheelError):
    """Says that the application or its environment is put together wrongly, and what to do."""


class DomainError(CartwheelError):
    """Refuses a request for a reason the domain knows; subclasses are declared by routes and tasks.

    `code` is the name under which workflows catch it (`OutOfStock`); over HTTP it becomes a problem
    with `status` and the same code in snake case (`out_of_stock`).
    """

    code: ClassVar[str] = "DomainError"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "The request conflicts with the current state"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            cls.code = cls.__name__

    def __init__(self, message: str, **details: Json) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Json] = details

    @property
    def problem_code(self) -> str:
        """Give the code as problems carry it: `OutOfStock` is `out_of_stock`."""
        return snake_case(self.code)


def snake_case(code: str) -> str:
    """Write a CamelCase code in snake case."""
    return _WORD_START.sub("_", code).lower()


class Unavailable(CartwheelError):
    """Says that infrastructure refused or did not answer: the call may have taken effect or not.

    Workflows see it as the language's own error `Unavailable`, which is retryable.
    """


class Conflict(CartwheelError):
    """Says that a row was not at the version the write expected; nothing was written."""

    def __init__(self, collection: str, partition: str, keys: tuple[str, ...]) -> None:
        super().__init__(
            f"{collection}/{partition}: {', '.join(keys)} changed since it was read; "
            "read again and decide anew"
        )
        self.collection = collection
        self.partition = partition
        self.keys = keys


class InvalidWrite(CartwheelError):
    """Says that a commit is not one that every provider's store can take (size, rows, names)."""


class RunNotFound(CartwheelError):
    """Says that no run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run '{run_id}'")
        self.run_id = run_id


class RunConflict(CartwheelError):
    """Says that the run id is taken by another workflow or another input."""

    def __init__(self, run_id: str, why: str) -> None:
        super().__init__(f"run '{run_id}' {why}; choose another run id")
        self.run_id = run_id


class UnknownWorkflow(CartwheelError):
    """Says that the application declares no such workflow."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        listed = ", ".join(sorted(known)) or "none"
        super().__init__(f"there is no workflow '{name}'; the application declares: {listed}")


class GatewayTimeout(Unavailable):
    """Says that the payment gateway did not answer in time: the charge may have happened."""


class SecretNotFound(ConfigurationError):
    """Says that a secret is missing and where this adapter looks for it."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(f"secret '{name}' is not set: {where}")
        self.name = name
