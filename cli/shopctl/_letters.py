"""Dead letters in a data folder, beside the server that serves it or without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from cartwheel.ports import DeadLetter, JsonObject
from cartwheel.realtime import RealClock
from cartwheel_local import _schema
from cartwheel_local._database import Database
from cartwheel_local._journal import SCHEMA
from cartwheel_local._messaging import SqliteMessaging
from shopctl._apps import find_project, load_project
from shopctl._errors import CliError
from shopctl._files import existing_data

ALL = 1_000_000
"""More dead letters than anybody looks at."""


class Letters:
    """Is the dead letters of one data folder."""

    def __init__(self, messaging: SqliteMessaging) -> None:
        self._messaging = messaging

    def list(self, *, consumer: str | None, limit: int) -> tuple[Sequence[DeadLetter], bool]:
        """Give the oldest first, and tell whether there are more."""
        found = [
            letter
            for letter in self._messaging.list(limit=ALL)
            if consumer in {None, letter.consumer}
        ]
        return found[:limit], len(found) > limit

    def get(self, letter_id: str) -> DeadLetter:
        """Give one; raises CliError."""
        for letter in self._messaging.list(limit=ALL):
            if letter.id == letter_id:
                return letter
        raise _unknown(letter_id)

    def redrive(self, letter_id: str) -> None:
        """Have it delivered once more, from the first try."""
        try:
            self._messaging.redrive(letter_id)
        except KeyError:
            raise _unknown(letter_id) from None

    def discard(self, letter_id: str) -> None:
        """Forget it for good."""
        try:
            self._messaging.discard(letter_id)
        except KeyError:
            raise _unknown(letter_id) from None


def letter_json(letter: DeadLetter) -> JsonObject:
    """Give a dead letter as JSON."""
    return {
        "id": letter.id,
        "consumer": letter.consumer,
        "attempts": letter.attempts,
        "at": letter.at,
        "error": letter.error,
        "body": letter.body,
    }


def _unknown(letter_id: str) -> CliError:
    return CliError(f"there is no dead letter '{letter_id}'", "shopctl dead-letters list")


@contextmanager
def open_letters(data: Path | None, app: str | None) -> Iterator[Letters]:
    """Open a data folder; the application is loaded only to find its default folder."""
    if data is None:
        project = find_project(app, Path.cwd())
        path = existing_data(None, project.folder, load_project(project).name)
    else:
        path = existing_data(data, data, "an application")
    database = Database(
        path / "cartwheel.db",
        application=_schema.APPLICATION,
        version=_schema.VERSION,
        schema=_schema.MAIN + SCHEMA,
        what="Cartwheel's data",
    )
    try:
        yield Letters(SqliteMessaging(database, RealClock(), _no_dispatcher, lambda: None))
    finally:
        database.close()


def _no_dispatcher() -> NoReturn:
    raise RuntimeError("the command line delivers nothing itself")
