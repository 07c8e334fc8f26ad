"""Goes round the open runs, so many at a time: a look at each costs a call of an engine's quota."""

from __future__ import annotations

from contextlib import suppress

from cartwheel.ports import MAX_PAGE, Conflict, Page, Put, Row, RunStatus, Store
from cartwheel.runs._letterbox import BY_STATUS, RUNS

_ROUND = "round"
"""The partition and the key of the row that says where the round has come to."""


class Rounds:
    """Takes turns with the open runs, the oldest first; others may do so at the same time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def next(self, most: int) -> list[Row]:
        """Give the open runs whose turn it is: all, or `most` after those of the turn before.

        Few runs cost one query. Where the round has come to is kept when there are more.
        """
        page = self._page(None, most)
        if page.next is None:
            return list(page.rows)
        mark = self._store.get(RUNS.name, _ROUND, _ROUND)
        after = mark.data["after"] if mark is not None else None
        if isinstance(after, str):
            page = self._page_after(after, most)
        rows = list(page.rows)
        while page.next is not None and len(rows) < most:
            page = self._page(page.next, most - len(rows))
            rows += page.rows
        put = Put(_ROUND, {"after": page.next}, 0 if mark is None else mark.version)
        with suppress(Conflict):  # Somebody else took the same turn, which does no harm.
            self._store.commit(RUNS.name, _ROUND, [put])
        return rows

    def _page_after(self, cursor: str, limit: int) -> Page:
        try:
            return self._page(cursor, limit)
        except ValueError:
            # A version of the store before this one wrote the cursor: the round begins anew.
            return self._page(None, limit)

    def _page(self, cursor: str | None, limit: int) -> Page:
        status = RunStatus.RUNNING.value
        size = min(limit, MAX_PAGE)
        return self._store.query(RUNS.name, BY_STATUS.name, status, cursor=cursor, limit=size)
