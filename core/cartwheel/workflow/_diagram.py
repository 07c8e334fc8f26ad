"""Draws a workflow as a Mermaid flowchart.

Sagas, attempts, parallels and maps are boxes around their steps; a compensation hangs on its step
by a dotted line; a handler on its attempt's box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import assert_never

from cartwheel.workflow import _diagram_words as words
from cartwheel.workflow import _ir as ir

_UNSAFE = re.compile(r"[^A-Za-z0-9 _.,:;/()\-+*=?!'\[\]…]")


@dataclass(frozen=True, slots=True)
class _End:
    """An arrow that still looks for its target."""

    node: str
    label: str = ""
    dotted: bool = False


_Ends = tuple[_End, ...]


def mermaid(workflow: ir.Workflow) -> str:
    """Return a Mermaid flowchart of a workflow; the same workflow gives the same text."""
    drawing = _Drawing()
    start = drawing.node(words.title(workflow), "([", "])")
    ends = drawing.body(workflow.body, (_End(start),))
    if ends:
        drawing.connect(ends, drawing.end())
    return drawing.text()


class _Drawing:
    """The lines so far, and the numbers of nodes and boxes."""

    def __init__(self) -> None:
        self._lines: list[str] = ["flowchart TD"]
        # Drawn after all boxes: an arrow inside a box would pull both its ends into it.
        self._arrows: list[str] = []
        self._indent = 1
        self._nodes = 0
        self._boxes = 0
        self._undo: list[str] = []
        self._end: str | None = None

    def text(self) -> str:
        """Return the whole text."""
        lines = list(self._lines)
        if self._end is not None:
            lines.append(f'  {self._end}(["end"])')
        lines.extend(self._arrows)
        if self._undo:
            lines.append("  classDef compensation stroke-dasharray: 4 3")
            lines.append(f"  class {','.join(self._undo)} compensation")
        return "\n".join(lines) + "\n"

    def node(self, label: str, opening: str = "[", closing: str = "]") -> str:
        """Draw a node and return its id."""
        self._nodes += 1
        node = f"n{self._nodes}"
        self._line(f"{node}{opening}{_quoted(label)}{closing}")
        return node

    def end(self) -> str:
        """Return the id of the end, which is drawn last, outside of all boxes."""
        self._end = "finish"
        return self._end

    def connect(self, ends: _Ends, target: str) -> None:
        """Draw arrows from open ends to a node or box."""
        for end in ends:
            arrow = "-.->" if end.dotted else "-->"
            label = f"|{_quoted(end.label)}|" if end.label else ""
            self._arrows.append(f"  {end.node} {arrow}{label} {target}")

    def body(self, steps: tuple[ir.Step, ...], ends: _Ends) -> _Ends:
        """Draw steps in order after open ends and return what is open after them."""
        for step in steps:
            ends = self._step(step, ends)
        return ends

    def _line(self, text: str) -> None:
        self._lines.append("  " * self._indent + text)

    def _open(self, label: str) -> str:
        self._boxes += 1
        box = f"box{self._boxes}"
        self._line(f"subgraph {box}[{_quoted(label)}]")
        self._indent += 1
        return box

    def _close(self) -> None:
        self._indent -= 1
        self._line("end")

    def _after(self, ends: _Ends, label: str, opening: str = "[", closing: str = "]") -> _Ends:
        node = self.node(label, opening, closing)
        self.connect(ends, node)
        return (_End(node),)

    def _step(self, step: ir.Step, ends: _Ends) -> _Ends:
        match step:
            case ir.TaskStep():
                return self._task(step, ends)
            case ir.PollStep():
                return self._after(ends, f"poll {_call_label(step)}", "[[", "]]")
            case ir.AssignStep():
                return self._after(ends, words.assign_title(step))
            case ir.WhenStep():
                return self._when(step, ends)
            case ir.ParallelStep():
                return self._parallel(step, ends)
            case ir.MapStep():
                return self._map(step, ends)
            case ir.TryStep():
                return self._try(step, ends)
            case ir.SagaStep():
                if not step.body:
                    return ends
                self._open(step.name)
                after = self.body(step.body, ends)
                self._close()
                return after
            case ir.SleepStep():
                return self._after(ends, words.sleep_title(step), "{{", "}}")
            case ir.WaitStep():
                return self._after(ends, words.wait_title(step), "{{", "}}")
            case ir.FailStep():
                self._after(ends, words.fail_title(step), "([", "])")
                return ()
            case ir.RaiseStep():
                self._after(ends, f"raise {words.shown(step.error)}", "([", "])")
                return ()
            case ir.ReturnStep():
                self.connect(self._after(ends, words.return_title(step)), self.end())
                return ()
            case _:
                assert_never(step)

    def _task(self, step: ir.TaskStep, ends: _Ends) -> _Ends:
        after = self._after(ends, _call_label(step))
        if step.compensate is not None:
            undo = self.node(f"undo: {step.compensate.task}")
            self._undo.append(undo)
            self.connect((_End(after[0].node, dotted=True),), undo)
        return after

    def _when(self, step: ir.WhenStep, ends: _Ends) -> _Ends:
        choice = self._after(ends, words.shown(step.condition), "{", "}")[0].node
        then = self.body(step.then, (_End(choice, "yes"),))
        return (*then, *self.body(step.otherwise, (_End(choice, "no"),)))

    def _parallel(self, step: ir.ParallelStep, ends: _Ends) -> _Ends:
        self._open(step.name)
        fork = self._after(ends, "all of", "[/", "/]")[0].node
        after: list[_End] = []
        for number, branch in enumerate(step.branches, 1):
            after.extend(self.body(branch.body, (_End(fork, str(number)),)))
        joined = self._after(tuple(after), "all settled", "[\\", "\\]")
        self._close()
        return joined

    def _map(self, step: ir.MapStep, ends: _Ends) -> _Ends:
        self._open(step.name)
        each = self._after(ends, words.map_title(step), "[/", "/]")
        joined = self._after(self.body(step.body, each), "all settled", "[\\", "\\]")
        self._close()
        return joined

    def _try(self, step: ir.TryStep, ends: _Ends) -> _Ends:
        if not step.body:
            return ends
        box = self._open(step.name)
        after = self.body(step.body, ends)
        self._close()
        for handler in step.handlers:
            caught = _End(box, words.codes_title(handler), dotted=True)
            after = (*after, *self.body(handler.body, (caught,)))
        return after


def _call_label(step: ir.TaskStep | ir.PollStep) -> str:
    settings = words.call_settings(step)
    title = words.call_title(step)
    return f"{title}\n{settings}" if settings else title


def _quoted(label: str) -> str:
    """Quote a label: what Mermaid or HTML might read becomes an entity by number."""
    lines = (_UNSAFE.sub(lambda found: f"#{ord(found[0])};", line) for line in label.split("\n"))
    return '"' + "<br/>".join(lines) + '"'
