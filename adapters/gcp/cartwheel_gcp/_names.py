"""Names in a compiled workflow: which are free, and how a value is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow._lint_targets import GCP_EXPRESSION

RUN = "run"
"""The parameter of the main routine: `{run_id, input, execution, urls}`."""
FAILURES = "compensation_failures"
ERROR_OF = "language_error"
"""The routine that turns whatever was raised into an error of the language."""

_STANDARD = """
    and or not in if else for while break continue return raise end next true false null True False
    None default double get_type int keys len string base64 events executions experimental
    googleapis hash http json list map math retry sys text time uuid main is lambda def class del
    try except finally with as from import global nonlocal pass yield assert async await set dict
    tuple str float bool
"""
RESERVED = frozenset(_STANDARD.split()) | {RUN, FAILURES, ERROR_OF}

BODY = ".body"
"""Where a call's answer has the task's output."""
LONGEST = GCP_EXPRESSION - len("${}")
"""Characters of an expression's text; whether the limit counts the signs around it is not said."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_METHODS = """
    clear copy deepcopy deepcopy_ freeze fromkeys get items keys pop popitem setdefault to_dict
    unfreeze update values
"""
BRACKETED = RESERVED | frozenset(_METHODS.split())
"""Fields that are read as `a["keys"]`: after a dot an engine may take them for something else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Is where the value of a name lies: a variable, and the path inside it.

    A task's answer stays in the variable that the call step set, so that no assignment has to be
    billed for taking it out.
    """

    variable: str
    path: str = ""

    @property
    def text(self) -> str:
        """Give the expression that reads the value."""
        return self.variable + self.path

    def entry(self, value: Json) -> JsonObject:
        """Give the assignment that sets the value."""
        for part in reversed(self.path.split(".")[1:]):
            value = {part: value}
        return {self.variable: value}


class Fresh:
    """Gives names that nothing else has."""

    def __init__(self, taken: frozenset[str] = RESERVED) -> None:
        self._taken = set(taken)

    def __call__(self, wanted: str) -> str:
        """Give the wanted name, or the first numbered one that is free."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wanted)
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name


def field(name: str) -> str:
    """Give the access to a field of a map."""
    if IDENTIFIER.match(name) and name not in BRACKETED:
        return f".{name}"
    return f'["{name}"]'
