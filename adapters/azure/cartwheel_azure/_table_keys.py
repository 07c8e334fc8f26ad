r"""Names of tables and keys of entities: readable ASCII in the order of code points.

Azure compares keys by UTF-16 units and refuses control characters and `/ \ # ?` in them; the port
orders them by code points and allows nearly all. So each character becomes a code of printable
ASCII: itself, or a lead and what tells the lead's characters apart. No code is the start of another
and codes sort as their characters do, so a key's code is the codes of its characters in a row, and
sorts and begins as the key does. A space is in no code: it separates the parts of an index entry.

    order/7  ->  order.17        guard#x  ->  guard!4x        über  ->  ~00fcber

A code may be longer than the 512 units that Azure takes. Then the first of them are kept and a hash
follows: equal keys still have equal codes, but within one start the order is that of hashes. Who
reads in order has to sort these again, all of them for each page; `start` gives what they have in
common.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

KEPT = 440
"""Units that are kept of a long code; with hash and nonce it stays below 512."""
SEPARATOR = " "
"""Sorts before every code."""
AFTER_ALL = "~~~"
"""Sorts after every code."""
_CUT = "~~"
_LAST_PLAIN = 0x7D
_BMP = 0x10000
_LONGEST_NAME = 63
_HASH = 32


class _Codes(dict[int, str]):
    """Gives the code of a character by its code point."""

    def __missing__(self, point: int) -> str:
        if point < ord(" "):
            return f"!0{point:02x}"
        if point <= _LAST_PLAIN:
            return chr(point)
        return f"~{point:04x}" if point < _BMP else f"~g{point:06x}"


_CODES = _Codes(
    {ord(char): f"!{number}" for number, char in enumerate(' !"#', 1)}
    | {
        ord(char): f"{pair[0]}{number}"
        for pair in ("$%", "&'", "*+", "./", ">?", "[\\")
        for number, char in enumerate(pair)
    }
)


def encode(text: str) -> str:
    """Give the code of a text, of any length."""
    return text.translate(_CODES)


def cut(code: str) -> str:
    """Give a code that is short enough for a key."""
    if len(code) <= KEPT:
        return code
    return f"{code[:KEPT]}{_CUT}{hashlib.sha256(code.encode()).hexdigest()[:_HASH]}"


def start(key: str) -> str:
    """Give what keys have in common that may be out of order among themselves."""
    return key[:KEPT]


def entity_key(text: str) -> str:
    """Give the PartitionKey or RowKey of a text."""
    # No key is empty, and no code is a lead alone.
    return cut(encode(text) or "!")


def joined(parts: Iterable[str]) -> str:
    """Give a code that sorts as a tuple of texts does."""
    return "".join(encode(part) + SEPARATOR for part in parts)


def mirrored(code: str) -> str:
    """Give a code that sorts the other way, of those that `joined` gives."""
    return "".join(f"{0xFF - ord(unit):02x}" for unit in code)


def table_name(prefix: str, *parts: str) -> str:
    """Give the name of a table: letters and digits, told apart without their case, at most 63."""
    # z is the escape, so parts are joined by what no escaped part holds.
    name = prefix + "zi".join("".join(_name_code(char) for char in part) for part in parts)
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{name[: _LONGEST_NAME - _HASH - 2]}zh{digest}"


def _name_code(char: str) -> str:
    if char == "_":
        return "zu"
    if char in "abcdefghijklmnopqrstuvwxy0123456789":
        return char
    return f"zx{ord(char):06x}"
