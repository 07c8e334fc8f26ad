"""What a run asks of its driver (effects), what the driver answers (outcomes), and how a run ends
(result)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, final

from cartwheel.ports import Json


@dataclass(slots=True, frozen=True)
class Error:
    """An error as data; `code` is what handlers and retry policies go by."""

    code: str
    message: str = ""
    details: Json = None
    retryable: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return the error as a handler in a workflow sees it."""
        return {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "retryable": self.retryable,
        }

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Error:
        """Rebuild an error from its JSON form."""
        return cls(
            str(data["code"]),
            str(data.get("message") or ""),
            data.get("details"),
            bool(data.get("retryable")),
        )


@final
class Ok(NamedTuple):
    """An effect's success: a task's output, a signal's payload, or None for a sleep."""

    value: Json = None


@final
class Err(NamedTuple):
    """An effect's failure."""

    error: Error


Outcome: TypeAlias = Ok | Err


@dataclass(slots=True)
class Call:
    """Call a task. `key` is the same for every attempt; `timeout` is in seconds."""

    id: str
    key: str
    step: str
    task: str
    input: dict[str, Json]
    attempt: int
    timeout: int | None
    compensation: bool


@dataclass(slots=True)
class Sleep:
    """Sleep until an epoch time in seconds.

    The driver may wake up to `jitter` seconds earlier, at random; `retry` marks the wait between
    two tries.
    """

    id: str
    step: str
    until: float
    jitter: float
    retry: bool = False


@dataclass(slots=True)
class Wait:
    """Wait for a signal until an epoch time in seconds, or without end."""

    id: str
    step: str
    signal: str
    until: float | None


Leaf: TypeAlias = Call | Sleep | Wait


@final
class All(NamedTuple):
    """Run branches at once, at most `limit` at a time; answered by their outcomes in order."""

    branches: Iterator[Steps]
    limit: int | None


Steps: TypeAlias = Generator[Leaf | All, Any, Any]
"""A running piece of a program: yields effects, is sent outcomes, returns its value."""


class Raised(Exception):
    """An error of the workflow on its way to a handler."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.code, error.message)
        self.error = error


class Returned(BaseException):
    """An early return on its way out of the program; no handler may catch it."""

    def __init__(self, value: Json) -> None:
        super().__init__()
        self.value = value


class CompensationFailure(NamedTuple):
    """A step that could not be undone, under which key that was tried, and why it failed."""

    step: str
    key: str
    error: Error


@dataclass(slots=True, frozen=True)
class Result:
    """How a run ended."""

    status: Literal["succeeded", "failed", "cancelled"]
    output: Json = None
    error: Error | None = None
    compensation_failures: tuple[CompensationFailure, ...] = ()
