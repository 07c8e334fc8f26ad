"""What a workflow engine that is somebody else's has to do for a `ForeignRuntime`: little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cartwheel.ports import JsonObject


@dataclass(frozen=True, slots=True)
class Launch:
    """Is one execution of a run, `number` from 1, with the engine's form of its definition."""

    run_id: str
    number: int
    workflow: str
    definition: str
    form: JsonObject


@dataclass(frozen=True, slots=True)
class Seen:
    """Is how an execution stands: under way without `document`, else how it ended and when.

    The document is `{status, output, error, compensation_failures}`, the same on every engine; `at`
    is an epoch time in seconds by the engine's clock.
    """

    document: JsonObject | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Is a sleep of a run as its engine knows it, in epoch seconds; `fired` once it is over."""

    step: str
    until: float
    fired: float | None = None


class ExecutionEngine(Protocol):
    """Executes compiled workflows. Every verb may be called twice, and by several processes.

    All of them raise Unavailable when the engine does not answer, and ConfigurationError when it
    has not been told of the definition.
    """

    def form(self, definition: str) -> JsonObject:
        """Give what this engine needs beside a current definition, by its content hash.

        It is kept with the definition, so that an old one is started as well when the application
        has another by then.
        """
        ...

    def start(self, launch: Launch, input: JsonObject) -> None:
        """Start an execution; one that was started before, even if it has ended, is left alone.

        Raises ValueError when the engine will never take this input: the run ends as failed.
        """
        ...

    def look(self, launch: Launch) -> Seen | None:
        """See how an execution stands; None when the engine knows of none, perhaps not yet."""
        ...

    def pauses(self, launch: Launch, *, latest: bool) -> Sequence[Pause]:
        """Give the sleeps of an execution in their order, as far as the engine knows them.

        With `latest` those that are not over are enough. An execution that the engine has forgotten
        has none.
        """
        ...
