"""Finds the endpoint of a path: compiled once, then one step per segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

RESERVED = ("/docs", "/health", "/openapi.json")
"""Paths that the gateway answers itself; no service may declare them."""
MAX_SEGMENT = 256
"""Bytes of a path parameter in UTF-8; nothing has a longer id (a store's key takes 512)."""
_SHORT = MAX_SEGMENT // 4
"""So many characters fit whatever they are: none takes more than four bytes."""


class Match(NamedTuple, Generic[T]):
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
        if path[:1] != "/":
            return Miss(())
        segments = _segments(path)
        node = self._root
        for segment in segments:
            child = node.literals.get(segment)
            if node.parameter is not None:
                if child is not None:
                    # Both may lead on; so few paths go this way that the way is not kept.
                    ends = self._ends(segments)
                    break
                if 0 < len(segment) <= _SHORT or _fits(segment):
                    child = node.parameter
            if child is None:
                return Miss(())
            node = child
        else:
            ends = [node]
        wanted = "GET" if method == "HEAD" else method
        for node in ends:
            leaf = node.leaves.get(wanted)
            if leaf is not None:
                params = {name: segments[place] for name, place in leaf.positions}
                allow = node.allow if len(ends) == 1 else _allow(ends)
                return Match(leaf.endpoint, leaf.pattern, params, allow)
        patterns = [leaf.pattern for node in ends for leaf in node.leaves.values()]
        return Miss(_allow(ends), patterns[0]) if patterns else Miss(())

    def _ends(self, segments: list[str]) -> list[_Node[T]]:
        """Give all nodes that a path leads to, the best one first."""
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
            live = reached
        return live


def _segments(path: str) -> list[str]:
    return [] if path == "/" else path.split("/")[1:]


def _fits(segment: str) -> bool:
    return 0 < len(segment.encode("utf-8", "replace")) <= MAX_SEGMENT


def _allow(nodes: list[_Node[T]]) -> tuple[str, ...]:
    methods = {method for node in nodes for method in node.leaves} | {"OPTIONS"}
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))
