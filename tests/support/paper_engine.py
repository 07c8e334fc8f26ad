"""A workflow engine that executes nothing: a test says how executions end, and who waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cartwheel.app import DeclaredWorkflow
from cartwheel.ports import ConfigurationError, Json, JsonObject
from cartwheel.runs import Launch, Pause, Seen
from cartwheel.workflow import Outcome

Key = tuple[str, int]


class PaperEngine:
    """Is an ExecutionEngine and a Wakeup that writes down what it is told.

    `forms` are the definitions that it knows, by content hash. `refuses` says why it takes no
    input. `before_look` is done once, between the next look and its reply.
    """

    def __init__(self) -> None:
        self.forms: dict[str, JsonObject] = {}
        self.started: list[tuple[Launch, JsonObject]] = []
        self.seen: dict[Key, Seen] = {}
        self.sleeps: dict[Key, list[Pause]] = {}
        self.woken: list[tuple[str, Outcome]] = []
        self.looks = 0
        self.refuses = ""
        self.before_look: Callable[[], object] | None = None

    def knows(self, workflows: Mapping[str, DeclaredWorkflow], mark: str = "") -> None:
        """Know the definitions of an application from now on; `mark` is part of the forms."""
        for workflow in workflows.values():
            self.forms[workflow.ir.content_hash] = {"of": workflow.version, "mark": mark}

    def ends(self, run_id: str, number: int = 1, output: Json = None, at: float = 0.0) -> None:
        """End an execution well."""
        self._end(run_id, number, at, status="succeeded", output=output)

    def fails(self, run_id: str, number: int = 1, code: str = "Declined", at: float = 0.0) -> None:
        """Let an execution fail, or be cancelled when that is the code."""
        error: JsonObject = {"code": code, "message": "", "details": None, "retryable": False}
        status = "cancelled" if code == "Cancelled" else "failed"
        self._end(run_id, number, at, status=status, error=error)

    def form(self, definition: str) -> JsonObject:
        """Give a definition's form."""
        if definition not in self.forms:
            raise ConfigurationError(f"definition {definition[:12]} is not known")
        return self.forms[definition]

    def start(self, launch: Launch, input: JsonObject) -> None:
        """Start an execution once."""
        if self.refuses:
            raise ValueError(self.refuses)
        key = launch.run_id, launch.number
        if key not in self.seen:
            self.seen[key] = Seen()
            self.started.append((launch, input))

    def look(self, launch: Launch) -> Seen | None:
        """See how an execution stands."""
        self.looks += 1
        before, self.before_look = self.before_look, None
        found = self.seen.get((launch.run_id, launch.number))
        if before is not None:
            before()
        return found

    def pauses(self, launch: Launch, *, latest: bool) -> Sequence[Pause]:
        """Give an execution's sleeps."""
        return tuple(self.sleeps.get((launch.run_id, launch.number), ()))

    def wake(self, token: str, outcome: Outcome) -> bool:
        """Wake a wait."""
        self.woken.append((token, outcome))
        return True

    def _end(self, run_id: str, number: int, at: float, **document: Json) -> None:
        whole: JsonObject = {"output": None, "error": None, "compensation_failures": []}
        self.seen[run_id, number] = Seen({**whole, **document}, at)
