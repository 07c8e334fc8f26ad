"""When each schedule last ran."""

from __future__ import annotations

from typing import cast

from cartwheel_local._database import Database


class SqliteTicks:
    """Keeps the schedules' last ticks in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, name: str) -> float | None:
        """Give when the schedule last ran."""
        found = self._database.rows("SELECT last FROM ticks WHERE name = ?", (name,))
        return cast("float", found[0][0]) if found else None

    def mark(self, name: str, at: float) -> None:
        """Note that the schedule's tick of that time is done."""
        self._database.writer.run(
            lambda connection: connection.execute(
                "INSERT INTO ticks (name, last) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET last = excluded.last",
                (name, at),
            )
        )
