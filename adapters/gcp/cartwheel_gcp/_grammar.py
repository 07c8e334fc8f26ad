"""Reads the expression language of Workflows, as its documentation defines it.

    or > and > not > comparison and `in` > + - > * / % // > unary minus > calls, fields, indexes

Strings stand in double quotes; there are numbers, true, false, null, names and parentheses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?) |
        (?P<string>"(?:[^"\\]|\\.)*") |
        (?P<name>[A-Za-z_][A-Za-z0-9_]*) |
        (?P<sign>==|!=|<=|>=|//|[-+*/%<>()\[\].,])
    )""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "not", "in"})
_CONSTANTS = frozenset({"true", "false", "null"})

HELPERS = {
    "default": 2,
    "double": 1,
    "get_type": 1,
    "if": 3,
    "int": 1,
    "keys": 1,
    "len": 1,
    "not": 1,
    "string": 1,
}
FUNCTIONS = {
    "json.decode": 1,
    "json.encode": 1,
    "json.encode_to_string": 1,
    "list.concat": 2,
    "list.prepend": 2,
    "map.delete": 2,
    "map.get": 2,
    "map.merge": 2,
    "math.abs": 1,
    "math.max": 2,
    "math.min": 2,
    "sys.now": 0,
    "text.substring": 3,
    "time.format": 1,
    "time.parse": 1,
}
"""The functions of the standard library that compiled workflows use, with their arguments."""
BLOCKING = frozenset(
    {
        "events.await_callback",
        "events.create_callback_endpoint",
        "http.post",
        "sys.log",
        "sys.sleep",
        "sys.sleep_until",
    }
)
"""What a call step may call; in an expression they are refused."""


class GrammarError(Exception):
    """An expression that Workflows would refuse."""


@dataclass(slots=True)
class Parsed:
    """Is what an expression refers to."""

    names: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)


def parse(text: str) -> Parsed:
    """Read the text of an expression, without `${}`; raises GrammarError."""
    if "\n" in text:
        raise GrammarError("it has several lines")
    parser = _Parser(_tokens(text))
    parser.either()
    parser.end()
    return parser.parsed


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise GrammarError(f"{text[at : at + 10]!r} is not part of the language")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.parsed = Parsed()
        self._tokens = tokens
        self._at = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise GrammarError(f"{self._tokens[self._at][1]!r} is not expected")

    def either(self) -> None:
        self._both()
        while self._takes("or"):
            self._both()

    def _both(self) -> None:
        self._negation()
        while self._takes("and"):
            self._negation()

    def _negation(self) -> None:
        while self._takes("not"):
            pass
        self._comparison()

    def _comparison(self) -> None:
        self._sum()
        if self._takes("==", "!=", "<", "<=", ">", ">=", "in"):
            self._sum()
            if self._peek() in ("==", "!=", "<", "<=", ">", ">=", "in"):
                raise GrammarError("comparisons do not chain")

    def _sum(self) -> None:
        self._product()
        while self._takes("+", "-"):
            self._product()

    def _product(self) -> None:
        self._unary()
        while self._takes("*", "/", "%", "//"):
            self._unary()

    def _unary(self) -> None:
        while self._takes("-"):
            pass
        self._atom()

    def _atom(self) -> None:
        kind, text = self._next()
        if kind in ("number", "string"):
            return
        if text == "(":
            self.either()
            self._wants(")")
            return
        if kind != "name" or text in _WORDS:
            raise GrammarError(f"{text!r} is no value")
        if text not in _CONSTANTS:
            self._name(text)

    def _name(self, root: str) -> None:
        path = root
        plain = True
        while True:
            if self._takes("."):
                kind, text = self._next()
                if kind != "name":
                    raise GrammarError(f"{text!r} is no field")
                path += f".{text}"
            elif self._takes("["):
                plain = False
                self.either()
                self._wants("]")
            elif plain and self._peek() == "(":
                self._call(path)
                return
            else:
                self.parsed.names.add(root)
                return

    def _call(self, function: str) -> None:
        self._wants("(")
        count = 0
        if not self._takes(")"):
            count = 1
            self.either()
            while self._takes(","):
                count += 1
                self.either()
            self._wants(")")
        self.parsed.functions.add(function)
        if function in BLOCKING:
            raise GrammarError(f"{function} blocks, and needs a call step")
        known = {**HELPERS, **FUNCTIONS}
        if function not in known:
            raise GrammarError(f"there is no function {function}")
        if known[function] != count:
            raise GrammarError(f"{function} takes {known[function]} arguments, not {count}")

    def _peek(self) -> str | None:
        if self._at == len(self._tokens):
            return None
        kind, text = self._tokens[self._at]
        return None if kind == "string" else text

    def _takes(self, *texts: str) -> bool:
        if self._peek() in texts:
            self._at += 1
            return True
        return False

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise GrammarError("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _wants(self, text: str) -> None:
        if not self._takes(text):
            raise GrammarError(f"{text!r} is missing")
