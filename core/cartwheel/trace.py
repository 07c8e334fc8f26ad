"""Trace context: one id for a request and all that follows from it, as W3C writes it.

A traceparent is carried from a request into the events and messages it causes and the runs it
starts, and from those on. Log lines carry its trace id. Who wants spans gives a `Tracer`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

Kind: TypeAlias = Literal["request", "task", "event", "message", "schedule"]
Value: TypeAlias = str | int

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SEED = "?"
_current: ContextVar[str] = ContextVar("cartwheel_traceparent", default="")
"""A traceparent, or the seed of one that nobody has asked for yet, after a question mark."""


def current() -> str:
    """Give the traceparent of what is being done now; empty when it belongs to no trace."""
    found = _current.get()
    if found[:1] == _SEED:
        found = begun(found[1:])
        _current.set(found)
    return found


def trace_id() -> str:
    """Give the trace's id, 32 hex digits; empty when there is no trace."""
    return current()[3:35]


def is_traceparent(text: str) -> bool:
    """Tell whether this is a traceparent that W3C lets one go on with."""
    return _PARENT.fullmatch(text) is not None


def begun(seed: str) -> str:
    """Begin a trace whose ids follow from a name of ours, so that a retry has the same ones."""
    digits = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()
    return f"00-{digits[:32]}-{digits[32:48]}-01"


def enter(parent: str) -> Token[str]:
    """Do what follows under a traceparent until `leave`: as `within`, where microseconds count."""
    return _current.set(parent)


def begin(seed: str) -> Token[str]:
    """Do what follows under the trace that `begun` gives, until `leave`; named when asked for."""
    return _current.set(_SEED + seed)


def leave(token: Token[str]) -> None:
    """Go back to what was before `enter` or `begin`."""
    _current.reset(token)


class within:  # noqa: N801  # used like a function: `with within(parent):`
    """Does what follows under a traceparent; an empty one means outside of any trace."""

    __slots__ = ("_parent", "_token")

    def __init__(self, parent: str) -> None:
        self._parent = parent

    def __enter__(self) -> None:
        self._token: Token[str] = _current.set(self._parent)

    def __exit__(self, *exc: object) -> None:
        _current.reset(self._token)


class Span(Protocol):
    """Is a piece of work under way, and its context manager."""

    def note(self, name: str, value: Value) -> None:
        """Note something about the work; never what is secret or personal."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None: ...


class Tracer(Protocol):
    """Makes a span of each piece of work that a host hands to the application."""

    def span(
        self, kind: Kind, name: str, parent: str, seed: str, notes: Mapping[str, Value]
    ) -> Span:
        """Make a span, to be entered; within it `current()` is its own traceparent.

        `parent` is the traceparent that the work came with. When it is empty a trace begins, and
        `seed` names the work.
        """
        ...


class PlainTracer:
    """Makes no spans: the work is done under the traceparent that it came with."""

    def span(
        self, kind: Kind, name: str, parent: str, seed: str, notes: Mapping[str, Value]
    ) -> Span:
        """See Tracer."""
        return _PlainSpan(parent or _SEED + seed)


class _PlainSpan(within):
    __slots__ = ()

    def note(self, name: str, value: Value) -> None:
        """Note nothing."""

    def __enter__(self) -> Self:  # type: ignore[override]  # gives itself, to be noted on
        super().__enter__()
        return self
