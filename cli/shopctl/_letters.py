"""Dead letters of a place, beside the server or the functions that deliver, or without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from cartwheel.ports import DeadLetter, DeadLetters, JsonObject
from cartwheel.realtime import RealClock
from shopctl._apps import find_project, load_project
from shopctl._deploy import Target
from shopctl._errors import CliError
from shopctl._files import existing_data
from shopctl._operating import BY_ITSELF, Place, open_stage

ALL = 1_000_000
"""More dead letters than anybody looks at."""


class Letters:
    """Is the dead letters of a place; `taken_up` tells people when one is delivered again."""

    def __init__(self, port: DeadLetters, taken_up: str) -> None:
        self._port = port
        self.taken_up = taken_up

    def list(self, *, consumer: str | None, limit: int) -> tuple[Sequence[DeadLetter], bool]:
        """Give the oldest first, and tell whether there are more."""
        found = [
            letter
            for letter in self._port.list(limit=limit + 1 if consumer is None else ALL)
            if consumer in {None, letter.consumer}
        ]
        return found[:limit], len(found) > limit

    def get(self, letter_id: str) -> DeadLetter:
        """Give one; raises CliError."""
        for letter in self._port.list(limit=ALL):
            if letter.id == letter_id:
                return letter
        raise _unknown(letter_id)

    def redrive(self, letter_id: str) -> None:
        """Have it delivered once more, from the first try."""
        try:
            self._port.redrive(letter_id)
        except KeyError:
            raise _unknown(letter_id) from None

    def discard(self, letter_id: str) -> None:
        """Forget it for good."""
        try:
            self._port.discard(letter_id)
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
def open_letters(place: Place) -> Iterator[Letters]:
    """Open the dead letters of a place."""
    if isinstance(place, Target):
        with open_stage(place) as host:
            yield Letters(host.ports.dead_letters, BY_ITSELF)
        return
    with _open_folder(place.path, place.app_name) as port:
        yield Letters(port, "a server that is up sees it within five seconds")


@contextmanager
def _open_folder(data: Path | None, app: str | None) -> Iterator[DeadLetters]:
    """Open a data folder; the application is loaded only to find its default folder."""
    from cartwheel_local import _schema
    from cartwheel_local._database import Database
    from cartwheel_local._journal import SCHEMA
    from cartwheel_local._messaging import SqliteMessaging

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
        yield SqliteMessaging(database, RealClock(), _no_dispatcher, lambda: None)
    finally:
        database.close()


def _no_dispatcher() -> NoReturn:
    raise RuntimeError("the command line delivers nothing itself")
