"""A SQLite file, its one writer with group commit, and its readers."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar

from cartwheel.ports import ConfigurationError, Unavailable

T = TypeVar("T")
Connection = sqlite3.Connection

OLDEST_SQLITE = (3, 38, 0)
BUSY_SECONDS = 10.0
"""How long a commit waits for another process at the same file."""
READERS = 8
"""Connections that read; who comes while all are lent waits, since more would only take turns."""


class _Work(Generic[T]):
    """Is one caller's part of a commit."""

    __slots__ = ("done", "error", "function", "leads", "result", "wakeup")

    def __init__(self, function: Callable[[Connection], T]) -> None:
        self.function = function
        self.result: T
        self.error: BaseException | None = None
        self.done = False
        self.leads = False
        self.wakeup: threading.Lock | None = None

    def do(self, connection: Connection) -> None:
        """Run the function.

        A cursor that it gives is closed here: freed later, in the caller's thread, it would reset a
        cached statement that this connection may be executing for somebody else by then.
        """
        self.result = self.function(connection)
        if isinstance(self.result, sqlite3.Cursor):
            self.result.close()

    def take(self) -> T:
        if self.error is not None:
            try:
                raise self.error
            finally:
                del self.error
        return self.result


class Writer:
    """Runs functions on the one connection that writes, many callers' in one commit.

    The first caller leads: it begins a transaction and commits, and whoever comes meanwhile waits
    and goes together into the next one. A caller alone does all of it in its own thread.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._pending: deque[_Work[object]] = deque()
        self._leading = False
        self.commits = 0
        """Transactions committed so far."""

    def run(self, function: Callable[[Connection], T]) -> T:
        """Run `function` in a transaction; once this returns, what it wrote is on the disk.

        What the function raises is raised here and nothing that it wrote stays. Raises Unavailable
        when the commit failed. The function must not commit, and must not call `run`.
        """
        work = _Work(function)
        with self._lock:
            if not self._leading:
                self._leading = True
            else:
                work.wakeup = threading.Lock()
                work.wakeup.acquire()
                self._pending.append(work)  # type: ignore[arg-type]  # each keeps its own type
        if work.wakeup is not None:
            try:
                work.wakeup.acquire()
            except BaseException:
                self._abandon(work)
                raise
        if not work.done:
            self._lead(work)
        return work.take()

    def _abandon(self, work: _Work[T]) -> None:
        """Let an interrupted caller go without stopping those who come after it."""
        with self._lock:
            self._pending = deque(other for other in self._pending if other is not work)
        if work.leads and not work.done:
            self._lead(work)

    def _lead(self, own: _Work[T]) -> None:
        with self._lock:
            batch: list[_Work[object]] = [own, *self._pending]  # type: ignore[list-item]  # as above
            self._pending.clear()
        try:
            self._commit(batch)
        finally:
            for work in batch:
                work.done = True
            with self._lock:
                following = self._pending.popleft() if self._pending else None
                self._leading = following is not None
                if following is not None:
                    following.leads = True
            if following is not None and following.wakeup is not None:
                following.wakeup.release()
            for work in batch:
                if work is not own and work.wakeup is not None:
                    work.wakeup.release()

    def _commit(self, batch: Sequence[_Work[object]]) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                batch[0].do(connection)
            else:
                for work in batch:
                    self._run_one(work)
            connection.execute("COMMIT")
            self.commits += 1
        except BaseException as error:
            self._roll_back()
            if len(batch) == 1 and _of_caller(error):
                batch[0].error = error
                return
            for work in batch:
                work.error = Unavailable(f"the database did not commit: {error}")
                work.error.__cause__ = error
            if not isinstance(error, Exception):
                raise

    def _run_one(self, work: _Work[object]) -> None:
        connection = self._connection
        connection.execute("SAVEPOINT work")
        try:
            work.do(connection)
        except Exception as error:
            if not _of_caller(error):
                raise
            connection.execute("ROLLBACK TO work")
            work.error = error
        connection.execute("RELEASE work")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _of_caller(error: BaseException) -> bool:
    """Tell an error of a caller's function from one of the disk, which undoes the whole commit."""
    return not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.IntegrityError)


class Database:
    """Is one SQLite file in WAL mode that syncs every commit (synchronous=FULL)."""

    def __init__(
        self, path: Path, *, application: int, version: int, schema: str, what: str
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            needed = ".".join(map(str, OLDEST_SQLITE[:2]))
            raise ConfigurationError(
                f"this Python has SQLite {sqlite3.sqlite_version}; the local adapter needs {needed}"
            )
        self.path = path
        self._readers: SimpleQueue[Connection | None] = SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._closed = False
        try:
            self._connection = self._connect()
            try:
                self._prepare(application, version, schema, what)
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path} can't be opened as {what}: {error}") from error
        self.writer = Writer(self._connection)

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, application: int, version: int, schema: str, what: str) -> None:
        connection = self._connection
        found = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if found != application and (found or tables):
            raise ConfigurationError(
                f"{self.path} is a SQLite file of something else, not {what}; "
                "choose another data folder"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        present = connection.execute("PRAGMA user_version").fetchone()[0]
        if present > version:
            connection.execute("ROLLBACK")
            raise ConfigurationError(
                f"{self.path} was written by a newer Cartwheel (its format is {present}, this one "
                f"knows {version}); upgrade Cartwheel or choose another data folder"
            )
        if present < version:
            for statement in filter(str.strip, schema.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {application}")
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """Lend a connection for reads; each statement sees all commits that returned before.

        Raises Unavailable when the file can't be read.
        """
        connection = self._readers.get()
        try:
            if connection is None:
                connection = self._new_reader()
            yield connection
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{self.path} can't be read: {error}") from error
        finally:
            if connection is not None and self._closed:
                connection.close()
                connection = None
            self._readers.put(connection)

    def _new_reader(self) -> Connection:
        if self._closed:
            raise Unavailable(f"{self.path} is closed")
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Read all rows of a query."""
        with self.reader() as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close all connections; the write-ahead log goes into the file."""
        self._closed = True
        for _ in range(READERS):
            connection = self._readers.get()
            if connection is not None:
                connection.close()
            self._readers.put(None)
        self._connection.close()
