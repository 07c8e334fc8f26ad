"""The definitions of runs in our store, with what a foreign engine needs to start them."""

from __future__ import annotations

from cartwheel.ports import (
    ConfigurationError,
    Conflict,
    JsonObject,
    Put,
    Row,
    Store,
    Unavailable,
    Write,
)
from cartwheel.runs._execution import ExecutionEngine
from cartwheel.runs._letterbox import RUNS, TRIES

_FORM, _IR = "definition#form", "definition#ir#"
_PIECE = 20_000
"""Characters of a definition in one row; escaped as JSON one has up to 12 bytes."""


class Shelf:
    """Is an archive of definitions; each has a partition named by its content hash."""

    def __init__(self, store: Store, engine: ExecutionEngine) -> None:
        self._store = store
        self._engine = engine
        self._forms: dict[str, JsonObject] = {}

    def define(self, definition: str, ir: str) -> None:
        """Keep a definition with the engine's form of it.

        A newer compiler may have changed the form, so a known definition gets the present one.
        """
        form = self._engine.form(definition)
        for _ in range(TRIES):
            kept = self._store.get(RUNS.name, definition, _FORM)
            if kept is None or kept.data != form:
                writes: list[Write] = [Put(_FORM, form, 0 if kept is None else kept.version)]
                if kept is None:
                    writes += [Put(key, {"text": text}, 0) for key, text in _pieces(ir)]
                try:
                    self._store.commit(RUNS.name, definition, writes)
                except Conflict:
                    continue
            self._forms[definition] = form
            return
        raise Unavailable(f"{RUNS.name}/{definition} stayed contended for {TRIES} tries")

    def definition(self, definition: str) -> str | None:
        """Give the IR kept under a content hash."""
        rows: list[Row] = []
        after: str | None = None
        while True:
            page = self._store.scan(RUNS.name, definition, prefix=_IR, after=after)
            rows += page.rows
            after = page.next
            if after is None:
                return "".join(str(row.data["text"]) for row in rows) or None

    def form(self, definition: str) -> JsonObject:
        """Give the engine's form of a definition; raises ConfigurationError when it is not kept."""
        form = self._forms.get(definition)
        if form is None:
            kept = self._store.get(RUNS.name, definition, _FORM)
            if kept is None:
                raise ConfigurationError(
                    f"definition {definition[:12]} is not kept in collection '{RUNS.name}': was "
                    "the data of another stage restored without it?"
                )
            form = self._forms[definition] = kept.data
        return form


def _pieces(text: str) -> list[tuple[str, str]]:
    return [
        (f"{_IR}{place // _PIECE:04d}", text[place : place + _PIECE])
        for place in range(0, len(text), _PIECE)
    ]
