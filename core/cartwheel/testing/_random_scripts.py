"""Random inputs and faults for a workflow: which call fails how, on which try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cartwheel.ports import Json, JsonObject
from cartwheel.testing._random_steps import TASKS, Steps
from cartwheel.testing._random_values import INTEGERS, TEXTS, Pick
from cartwheel.testing.corpus._program import (
    Act,
    Answer,
    Cancel,
    Given,
    Line,
    Signal,
    during,
    lost,
    ok,
    refused,
    slow,
    unavailable,
    unexpected,
)
from cartwheel.workflow import _ir as ir

Containers = tuple[tuple[str, int | None], ...]
"""The parallels and maps around a step, outermost first: their name, and the branch or None."""


@dataclass(frozen=True, slots=True)
class Site:
    """Is a place in a workflow from which a task is called."""

    key: str
    task: str
    timeout: int | None
    around: Containers
    polls: int = 0

    @property
    def maps(self) -> int:
        """Count the maps around."""
        return sum(branch is None for _, branch in self.around)


def sites(body: tuple[ir.Step, ...], around: Containers = ()) -> Iterator[Site]:
    """Yield the places from which tasks are called, in source order."""
    for step in body:
        match step:
            case ir.TaskStep():
                yield Site(step.name, step.task, step.timeout, around)
                if (undo := step.compensate) is not None:
                    yield Site(f"{step.name}.compensate", undo.task, undo.timeout, around)
            case ir.PollStep():
                yield Site(step.name, step.task, step.timeout, around, step.attempts)
            case ir.ParallelStep():
                for index, branch in enumerate(step.branches):
                    yield from sites(branch.body, (*around, (step.name, index)))
            case ir.MapStep():
                yield from sites(step.body, (*around, (step.name, None)))
            case _:
                for inner in ir.bodies(step):
                    yield from sites(inner, around)


def given(pick: Pick) -> JsonObject:
    """Make an input."""
    words = [TEXTS[pick(len(TEXTS))] for _ in range(pick(4))]
    lines = [
        Line(item=TEXTS[pick(len(TEXTS))], count=INTEGERS[pick(len(INTEGERS))])
        for _ in range(pick(3))
    ]
    extra: tuple[Json, ...] = (None, {"a": [1, None, {"b": "é"}]}, [], "text", 0, False)
    model = Given(
        id=TEXTS[pick(len(TEXTS))],
        count=INTEGERS[pick(len(INTEGERS))],
        flag=not pick(2),
        note=(None, "note", "")[pick(3)],
        words=words,
        lines=lines,
        extra=extra[pick(len(extra))],
    )
    made: JsonObject = model.model_dump(mode="json")
    return made


def script(
    pick: Pick, workflow: ir.Workflow, steps: Steps
) -> Mapping[str, Answer | tuple[Answer, ...]]:
    """Make the world's answers: signals that have to come, some faults, at times a cancel."""
    found: dict[str, Answer | tuple[Answer, ...]] = {}
    known = list(sites(workflow.body))
    senders = {name: signal for signal, name in steps.sent_by.items()}
    free = [site for site in known if site.key not in senders and site.key != "start"]
    for site in [site for site in known if site.key in steps.doomed and pick(4)]:
        key = site.key + "".join(f":{pick(2)}" for _ in range(site.maps))
        found[key] = _failure(pick, site)
    undoing = [site for site in free if site.key.endswith(".compensate")]
    for _ in range(pick(5) if free else 0):
        among = undoing if undoing and not pick(3) else free
        site = among[pick(len(among))]
        key = site.key + "".join(f":{pick(3)}" for _ in range(site.maps))
        if site.polls:
            key += f":{pick(site.polls)}"
        found[key] = tuple(_answer(pick, site) for _ in range(1 + pick(3)))
    main = [site for site in free if not site.around and site.key not in found]
    if main and pick(6) == 5:
        found[main[pick(len(main))].key] = (during(Cancel()), ok())
    acts: tuple[Act, ...] = tuple(_signal(name) for name in steps.early)
    if acts:
        found["start"] = during(*acts)
    for name, signal in senders.items():
        found[name] = during(_signal(signal))
    return found


def _signal(name: str) -> Signal:
    note = None if len(name) % 2 else "x"
    return Signal(name, {"word": f"of {name}", "note": note}, id=f"id of {name}")


def _failure(pick: Pick, site: Site) -> Answer:
    """Make an answer that is a failure at every try."""
    errors = TASKS[site.task].errors
    if errors and pick(2):
        code = errors[pick(len(errors))]
        return refused(code, f"{code} of {site.key}", of=site.key)
    return (unavailable, unexpected, lost)[pick(3)]()


def _answer(pick: Pick, site: Site) -> Answer:
    errors = TASKS[site.task].errors
    kinds = [unavailable, unexpected, lost, ok]
    if errors:
        code = errors[pick(len(errors))]
        kinds.append(lambda: refused(code, f"{code} of {site.key}", of=site.key, n=[1, None]))
    if site.timeout is not None:
        kinds.append(lambda: slow(2))
    if site.polls:
        seen: JsonObject = {"id": "p", "count": 1, "note": "n", "owner": None, "lines": []}
        kinds.append(lambda: ok(**seen, status="done"))
    return kinds[pick(len(kinds))]()
