"""The grammar of paths and intrinsic functions, as far as a definition can be judged by it."""

from __future__ import annotations

import re

DEEPEST = 10
"""How deep intrinsic functions may be nested."""
_STEP = r"(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\]|\['(?:[^'\\]|\\.)*'\])"
_PATH = re.compile(rf"\${_STEP}*|\$\$(?:\.[A-Za-z]+)+")
_MANY = re.compile(rf"\$(?:{_STEP}|\[\*\])*")
_REFERENCE = re.compile(rf"\${_STEP}*")
_TOKEN = re.compile(
    rf"\s*(?:(?P<name>States\.[A-Za-z0-9]+)|(?P<path>\$\$(?:\.[A-Za-z]+)+|\${_STEP}*)"
    r"|(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>-?\d+)|(?P<word>true|false|null)|(?P<mark>[(),]))"
)
_ARITY: dict[str, tuple[int, int]] = {
    "Array": (0, 100),
    "ArrayContains": (2, 2),
    "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1),
    "ArrayPartition": (2, 2),
    "ArrayRange": (3, 3),
    "ArrayUnique": (1, 1),
    "Base64Decode": (1, 1),
    "Base64Encode": (1, 1),
    "Format": (1, 100),
    "Hash": (2, 2),
    "JsonMerge": (3, 3),
    "JsonToString": (1, 1),
    "MathAdd": (2, 2),
    "MathRandom": (2, 3),
    "StringSplit": (2, 2),
    "StringToJson": (1, 1),
    "UUID": (0, 0),
}


def wrong_path(text: str, *, many: bool = False) -> str | None:
    """Say what is wrong with a path; `many` allows it to select several values."""
    fits = _PATH.fullmatch(text) or (many and _MANY.fullmatch(text))
    return None if fits else f"{text!r} is no path"


def wrong_reference(text: str) -> str | None:
    """Say what is wrong with a reference path, which names one place."""
    return None if _REFERENCE.fullmatch(text) else f"{text!r} is no reference path"


def wrong_expression(text: str, *, many: bool = False) -> str | None:
    """Say what is wrong with the value of a template's field that ends in `.$`."""
    return wrong_function(text) if text.startswith("States.") else wrong_path(text, many=many)


def wrong_function(text: str) -> str | None:
    """Say what is wrong with an intrinsic function."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            return f"{text[at : at + 20]!r} is not understood in {text!r}"
        tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
        at = found.end()
    try:
        rest = _call(tokens, 1)
    except ValueError as error:
        return f"{error} in {text!r}"
    return f"{text!r} goes on after its end" if rest else None


def _call(tokens: list[tuple[str, str]], depth: int) -> list[tuple[str, str]]:
    """Read a function's call and return what follows it; raises ValueError."""
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} functions lie in each other")
    if len(tokens) < 3 or tokens[0][0] != "name" or tokens[1] != ("mark", "("):
        raise ValueError("a function's call is expected")
    name, rest, count = tokens[0][1].removeprefix("States."), tokens[2:], 0
    if name not in _ARITY:
        raise ValueError(f"there is no function States.{name}")
    while rest and rest[0] != ("mark", ")"):
        if count:
            if rest[0] != ("mark", ","):
                raise ValueError("a comma is missing")
            rest = rest[1:]
        kind = rest[0][0] if rest else "end"
        if kind == "name":
            rest = _call(rest, depth + 1)
        elif kind in ("path", "text", "number", "word"):
            rest = rest[1:]
        else:
            raise ValueError("an argument is missing")
        count += 1
    if not rest:
        raise ValueError("a bracket is not closed")
    low, high = _ARITY[name]
    if not low <= count <= high:
        raise ValueError(f"States.{name} takes {low} to {high} arguments, not {count}")
    return rest[1:]
