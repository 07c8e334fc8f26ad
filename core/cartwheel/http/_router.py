"""Finds the endpoint of a path: compiled once, then one step per segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

RESERVED = ("/docs", "/health", "/openapi.json")
"""Paths that the gateway answers itself; no service may declare them."""
MAX_SEGMENT = 256
"""Bytes of a path parameter in UTF-8; nothing has a longer id (a store's key takes 512)."""


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """Is the endpoint of a request with the values of its path parameters."""

    endpoint: T
    pattern: str
    params: Mapping[str, str]
    allow: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Miss:
    """Says that the path is unknown (`allow` is empty) or does not take the method."""

    allow: tuple[str, ...]
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class _Leaf(Generic[T]):
    endpoint: T
    pattern: str
    positions: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    parameter: _Node[T] | None = None
    leaves: dict[str, _Leaf[T]] = field(default_factory=dict)
    allow: tuple[str, ...] = ()


class Router(Generic[T]):
    """Finds endpoints by method and path.

    A literal segment beats a parameter, and a path whose best match lacks the method falls to the
    next one, as the providers' gateways do. A trailing slash makes another path. HEAD is found
    where GET is.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, path: str, endpoint: T) -> None:
        """Put an endpoint at a path whose parameters are written `{name}`."""
        node = self._root
        positions: list[tuple[str, int]] = []
        for place, segment in enumerate(_segments(path)):
            if segment.startswith("{"):
                positions.append((segment[1:-1], place))
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        node.leaves[method] = _Leaf(endpoint, path, tuple(positions))
        node.allow = _allow([node])

    def find(self, method: str, path: str) -> Match[T] | Miss:
        """Give what a request meets; the path is percent-decoded."""
        if not path.startswith("/"):
            return Miss(())
        segments = _segments(path)
        # Each node is reached in one way only, so there are never more live nodes than routes.
        live = [self._root]
        for segment in segments:
            reached: list[_Node[T]] = []
            for node in live:
                child = node.literals.get(segment)
                if child is not None:
                    reached.append(child)
                if node.parameter is not None and _fits(segment):
                    reached.append(node.parameter)
            if not reached:
                return Miss(())
            live = reached
        ends = [node for node in live if node.leaves]
        if not ends:
            return Miss(())
        allow = ends[0].allow if len(ends) == 1 else _allow(ends)
        wanted = "GET" if method == "HEAD" else method
        for node in ends:
            leaf = node.leaves.get(wanted)
            if leaf is not None:
                params = {name: segments[place] for name, place in leaf.positions}
                return Match(leaf.endpoint, leaf.pattern, params, allow)
        return Miss(allow, next(iter(ends[0].leaves.values())).pattern)


def _segments(path: str) -> list[str]:
    return [] if path == "/" else path.split("/")[1:]


def _fits(segment: str) -> bool:
    # No character takes more than four bytes.
    size = len(segment)
    return size > 0 and (
        size <= MAX_SEGMENT // 4 or len(segment.encode("utf-8", "replace")) <= MAX_SEGMENT
    )


def _allow(nodes: list[_Node[T]]) -> tuple[str, ...]:
    methods = {method for node in nodes for method in node.leaves} | {"OPTIONS"}
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))
