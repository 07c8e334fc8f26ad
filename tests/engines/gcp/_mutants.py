"""Bugs as a compiler for Workflows could have them, planted into a compiled document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]
Edit = Callable[[Node], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """Is one planted bug; `edit` is given every map of the document, inner ones last."""

    name: str
    edit: Edit

    def __str__(self) -> str:
        return self.name

    def plant(self, document: Node) -> None:
        """Plant the bug wherever it fits."""
        for node in list(nodes(document)):
            self.edit(node)


def nodes(value: Any) -> Iterator[Node]:
    """Yield all maps of a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)


def _retry(change: Callable[[Node], object]) -> Edit:
    def edit(node: Node) -> None:
        if isinstance(node.get("retry"), dict):
            change(node["retry"])

    return edit


def _text(pattern: str, new: str) -> Edit:
    """Replace a pattern in every string of a map, and of the lists in it."""

    def edit(node: Node) -> None:
        for key, value in node.items():
            if isinstance(value, str):
                node[key] = re.sub(pattern, new, value)

    return edit


def _arms(pattern: str, change: Callable[[list[Node]], list[Node]]) -> Edit:
    """Change the arms of the switches whose first condition has a pattern."""

    def edit(node: Node) -> None:
        arms = node.get("switch")
        if isinstance(arms, list) and re.search(pattern, str(arms[0]["condition"])):
            node["switch"] = change(arms) or [{"condition": False, "next": "end"}]

    return edit


def _body(change: Callable[[Node], object]) -> Edit:
    def edit(node: Node) -> None:
        if node.get("call") == "http.post":
            change(node["args"])

    return edit


def _handler(pattern: str, change: Callable[[Node], object]) -> Edit:
    """Change the calls with a handler whose first step has a name with a pattern."""

    def edit(node: Node) -> None:
        handler = node.get("except")
        if isinstance(handler, dict) and "call" in node.get("try", ()):
            names = [name for step in handler["steps"] for name in step]
            if any(re.search(pattern, name) for name in names):
                change(node)

    return edit


def _fewer(retry: Node) -> None:
    retry["max_retries"] -= 1


def _drop_otherwise(node: Node) -> None:
    arms = node.get("switch")
    if isinstance(arms, list) and len(arms) > 1 and arms[-1] == {**arms[-1], "condition": True}:
        node["switch"] = arms[:-1]


def _undo_forwards(node: Node) -> None:
    handler = node.get("except")
    if isinstance(handler, dict):
        steps = handler["steps"]
        undone = [step for step in steps if re.search("registered", next(iter(step)))]
        turned = iter(reversed(undone))
        handler["steps"] = [next(turned) if step in undone else step for step in steps]


def _lose_details(node: Node) -> None:
    if isinstance(node.get("raise"), dict) and "details" in node["raise"]:
        node["raise"]["details"] = None


def _wrong_results(node: Node) -> None:
    for key in [key for key in node if re.search(r"\[\w+_index\]$", key)]:
        node[re.sub(r"\[\w+\]", "[0]", key)] = node.pop(key)


MUTANTS = (
    Mutant("one try too many", _retry(lambda r: r.update(max_retries=r["max_retries"] + 1))),
    Mutant("one try too few", _retry(_fewer)),
    Mutant("waits do not grow", _retry(lambda r: r["backoff"].update(multiplier=1))),
    Mutant("waits know no cap", _retry(lambda r: r["backoff"].update(max_delay=10**6))),
    Mutant("every code is tried again", _text(r'^\$\{error.code == .*"\}$', "${true}")),
    Mutant("a cancelled call is tried again", _text(r'^\$\{error.code != "Canc.*$', "${true}")),
    Mutant("a branch's error is swallowed", _arms(r"error.* != null", lambda arms: [])),
    Mutant("the last failed branch counts", _arms("error.* != null", lambda arms: arms[::-1])),
    Mutant("the last failed item counts", _text(r"index < ", "index > ")),
    Mutant("a failed item is forgotten", _arms(r"^\$\{len\(\w*_failures", lambda arms: [])),
    Mutant("all results go to one place", _wrong_results),
    Mutant("a key forgets the map around it", _text(r' \+ ":" \+ string\(\w+\)', "")),
    Mutant("compensations are refused", _body(lambda a: a["body"].update(compensation=False))),
    Mutant(
        "compensations have the step's key",
        _body(lambda a: a["body"].update(key=a["body"]["key"].replace(".compensate", ""))),
    ),
    Mutant("a failed compensation ends the run", _handler("failed", lambda n: n.pop("except"))),
    Mutant("an unknown outcome is not undone", _handler("raise", lambda n: n.pop("except"))),
    Mutant(
        "a refused step is undone",
        _handler(
            "refused",
            lambda n: n["except"].update(
                steps=[s for s in n["except"]["steps"] if "refused" not in next(iter(s))]
            ),
        ),
    ),
    Mutant("what was done is not undone", _arms(r"^\$\{(?!undo)\w+ != null\}$", lambda arms: [])),
    Mutant("sagas are undone forwards", _undo_forwards),
    Mutant("a call never times out", _body(lambda a: a.update(timeout=1800))),
    Mutant("a woken wait asks not why", _arms(r"not \w+\.http_request", lambda arms: [])),
    Mutant("a wait never ends", _text(r"^cartwheel.expired$", "corpus.say")),
    Mutant("a cancelled run has failed", _text(r"^cancelled$", "failed")),
    Mutant("details are lost", _lose_details),
    Mutant("otherwise is left out", _drop_otherwise),
    Mutant("other codes are handled", _text(r'(error\w*\.code) == ("\w+")', r"\1 != \2")),
    Mutant(
        "a handler takes everything",
        _arms(r"\.code == ", lambda arms: [{**arms[0], "condition": True}]),
    ),
    Mutant(
        "sums wrap nowhere",
        _text(r"math.max\(-\d+, math.min\(\d+, ([^)]*)\)\)", r"\1"),
    ),
    Mutant("a timeout is called unavailable", _text(r"^Timeout$", "Unavailable")),
    Mutant("a poll goes on when it is answered", _arms(r"status == ", lambda arms: [])),
)
