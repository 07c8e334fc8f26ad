"""Structured logs: one call is one line of JSON, and a Secret never shows."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable

from pydantic_core import to_json

from cartwheel.ports import Clock, rfc3339
from cartwheel.trace import trace_id

Sink = Callable[[str], None]

_write_json = json.JSONEncoder(default=str, separators=(",", ":")).encode
_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_stderr(line: str) -> None:
    """Write a log line to standard error in one write, so that threads don't mix lines."""
    sys.stderr.write(line + "\n")


def discard(line: str) -> None:
    """Drop a log line; for tests that look at something else."""


class Log:
    """Writes one JSON line a call: time, level, event, trace id, the bound and given fields."""

    __slots__ = ("_clock", "_fields", "_sink")

    def __init__(self, clock: Clock, sink: Sink, fields: dict[str, object] | None = None) -> None:
        self._clock = clock
        self._sink = sink
        self._fields = fields or {}

    @property
    def silent(self) -> bool:
        """Tell whether lines are dropped, so that nothing need be found out for them."""
        return self._sink is discard

    def bind(self, **fields: object) -> Log:
        """Make a log that adds these fields to every line."""
        return Log(self._clock, self._sink, {**self._fields, **fields})

    def info(self, event: str, **fields: object) -> None:
        """Say what happened."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say what somebody may want to look at."""
        self._write("warning", event, fields)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Say what went wrong, with the exception and its stack on the same line."""
        fields["error"] = f"{type(error).__name__}: {error}"
        fields["stack"] = "".join(traceback.format_exception(error))
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if self._sink is discard:
            return
        line: dict[str, object] = {
            "at": rfc3339(self._clock.now()),
            "level": level,
            "event": event,
        }
        trace = trace_id()
        if trace:
            line["trace_id"] = trace
        line.update(self._fields)
        line.update(fields)
        self._sink(_written(line))


def _written(line: dict[str, object]) -> str:
    if _PLAIN.issuperset(map(type, line.values())):
        try:
            text = to_json(line).decode()
        except ValueError:
            pass  # Half a surrogate pair, which only the other one writes.
        else:
            # A line is to be read whatever the encoding of the stream is.
            if text.isascii() and text.isprintable():
                return text
    return _write_json(line)
