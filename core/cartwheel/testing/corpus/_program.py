"""A program of the corpus: a small workflow, what the world answers, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from cartwheel.ports import Json, JsonObject
from cartwheel.testing.corpus._expected import Pattern, seq
from cartwheel.testing.corpus._rules import Rule
from cartwheel.workflow import WorkflowDefinition, workflow

Out = TypeVar("Out")


class Line(BaseModel):
    """One line of a list of things."""

    model_config = ConfigDict(extra="forbid")

    item: str
    count: int


class Owner(BaseModel):
    """Somebody who may be missing."""

    model_config = ConfigDict(extra="forbid")

    name: str
    city: str | None = None


class Given(BaseModel):
    """The input of every program."""

    model_config = ConfigDict(extra="forbid")

    id: str = "g1"
    count: int = 3
    flag: bool = True
    note: str | None = None
    owner: Owner | None = None
    words: list[str] = ["a", "b", "c"]
    lines: list[Line] = [Line(item="pen", count=2), Line(item="ink", count=5)]
    extra: JsonValue = None


@dataclass(frozen=True, slots=True)
class Signal:
    """Sends the run a signal; `accepted` is what the runtime must answer."""

    name: str
    payload: Json
    id: str = "s1"
    accepted: bool = True


@dataclass(frozen=True, slots=True)
class Cancel:
    """Asks the run to end."""


Act: TypeAlias = Signal | Cancel

Order: TypeAlias = Literal["first", "last"] | int
"""Which of several effects due at once goes first: the oldest, the newest, or by a seed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what the world does about one call.

    `value` of None is the task's usual output. `happened` says whether the task had its effect,
    whatever the caller learns. The call takes `seconds`; `acts` are done while it runs.
    """

    kind: Literal["ok", "declared", "unavailable", "unexpected"] = "ok"
    value: JsonObject | None = None
    code: str = ""
    message: str = ""
    details: JsonObject = field(default_factory=dict)
    seconds: int = 0
    happened: bool = True
    acts: tuple[Act, ...] = ()


def ok(**value: Json) -> Answer:
    """Answer with an output, or with the task's usual one."""
    return Answer(value=value or None)


def refused(code: str, message: str = "no", **details: Json) -> Answer:
    """Answer with an error that the task declares."""
    return Answer("declared", code=code, message=message, details=details, happened=False)


def unavailable() -> Answer:
    """Answer that infrastructure said no; nothing has happened."""
    return Answer("unavailable", happened=False)


def unexpected() -> Answer:
    """Answer with a bug; nothing has happened."""
    return Answer("unexpected", happened=False)


def lost() -> Answer:
    """Do the task and lose its reply on the way."""
    return Answer("unavailable", happened=True)


def slow(seconds: int = 1, answer: Answer | None = None) -> Answer:
    """Answer after some seconds; the task has its effect even if nobody waits that long."""
    base = answer or Answer()
    return Answer(
        base.kind, base.value, base.code, base.message, base.details, seconds, base.happened
    )


def during(*acts: Act, answer: Answer | None = None) -> Answer:
    """Do something to the run while the task is under way, then answer."""
    base = answer or Answer()
    return Answer(
        base.kind, base.value, base.code, base.message, base.details, 0, base.happened, acts
    )


Script: TypeAlias = Mapping[str, Answer | tuple[Answer, ...]]
"""Answers by key (without the run's id) or by task; a tuple is by try, its last one repeats."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Is how a run must end. Parts that are None, or `...` for details, are left open."""

    status: Literal["succeeded", "failed", "cancelled"]
    output: Json = None
    code: str | None = None
    message: str | None = None
    details: Json | None = None
    undone: tuple[tuple[str, str], ...] = ()
    """The steps whose compensation failed for good, with the code of that failure."""


def succeeds(output: Json = None, *, not_undone: tuple[tuple[str, str], ...] = ()) -> Expected:
    """Expect success with this output; `not_undone` lists compensations that failed, and how."""
    return Expected("succeeded", output, undone=not_undone)


def fails(
    code: str,
    message: str | None = None,
    details: Json | None = None,
    *,
    not_undone: tuple[tuple[str, str], ...] = (),
) -> Expected:
    """Expect failure with this error; `not_undone` lists compensations that failed, and how."""
    return Expected("failed", None, code, message, details, not_undone)


def cancelled(*, not_undone: tuple[tuple[str, str], ...] = ()) -> Expected:
    """Expect that the run ends as cancelled."""
    return Expected("cancelled", None, "Cancelled", undone=not_undone)


@dataclass(frozen=True, slots=True)
class Program:
    """Is one claim about the language that any engine can be held to.

    `actions` are done so many seconds after the start. `took` is the run's time from start to end
    in seconds, or the bounds of it. `left` lists the keys whose effects remain in the end.
    `in_flight` is the most calls that may be under way at once. With `long` the program needs
    virtual time. `redrives` is how often the run is executed again after a failure; each execution
    before the last must fail.
    """

    name: str
    rule: Rule
    definition: WorkflowDefinition[Given, object]
    expected: Expected
    calls: Pattern
    input: JsonObject
    script: Script
    actions: tuple[tuple[int, Act], ...] = ()
    took: tuple[int, int] | None = None
    left: tuple[str, ...] | None = None
    in_flight: int | None = None
    long: bool = False
    redrives: int = 0

    def __str__(self) -> str:
        return self.name

    @property
    def has_slow_answers(self) -> bool:
        """Tell whether some call takes time by itself."""
        answers = (
            each
            for found in self.script.values()
            for each in (found if isinstance(found, tuple) else (found,))
        )
        return any(answer.seconds for answer in answers)

    def answer(self, task: str, key: str, attempt: int) -> Answer:
        """Give the script's answer to a try of a call; a usual success when it says nothing."""
        found = self.script.get(key, self.script.get(task, Answer()))
        if isinstance(found, Answer):
            return found
        return found[min(attempt, len(found)) - 1]


class Chapter:
    """Collects the programs of one module."""

    def __init__(self) -> None:
        self.programs: list[Program] = []

    def __call__(
        self,
        rule: Rule,
        expected: Expected,
        calls: Pattern | None = None,
        *,
        input: Mapping[str, Json] | None = None,
        script: Script | None = None,
        actions: tuple[tuple[int, Act], ...] = (),
        took: int | tuple[int, int] | None = None,
        left: tuple[str, ...] | None = None,
        in_flight: int | None = None,
        long: bool = False,
        redrives: int = 0,
    ) -> Callable[[Callable[[Given], Out]], WorkflowDefinition[Given, Out]]:
        """Make a workflow function a program under its own name."""
        given = Given.model_validate(input or {}).model_dump(mode="json")

        def define(function: Callable[[Given], Out]) -> WorkflowDefinition[Given, Out]:
            definition = workflow(function.__name__, version="1")(function)
            self.programs.append(
                Program(
                    name=definition.name,
                    rule=rule,
                    definition=definition,  # type: ignore[arg-type]  # its result is some object
                    expected=expected,
                    calls=seq() if calls is None else calls,
                    input=given,
                    script=script or {},
                    actions=actions,
                    took=(took, took) if isinstance(took, int) else took,
                    left=left,
                    in_flight=in_flight,
                    long=long,
                    redrives=redrives,
                )
            )
            return definition

        return define
