"""The writer's group commit, and the files it will and won't open."""

from __future__ import annotations

import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cartwheel.ports import ConfigurationError, Unavailable
from cartwheel_local._database import READERS, Connection, Database

APPLICATION = 77
SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT"


def opened(path: Path, *, application: int = APPLICATION, version: int = 1) -> Database:
    """Open a database of the tests' own."""
    return Database(path, application=application, version=version, schema=SCHEMA, what="notes")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = opened(tmp_path / "notes.db")
    yield database
    database.close()


def add(database: Database, note: str) -> int:
    """Add a note and give its id."""

    def work(connection: Connection) -> int:
        done = connection.execute("INSERT INTO notes (note) VALUES (?)", (note,))
        return done.lastrowid or 0

    return database.writer.run(work)


def notes(database: Database) -> set[object]:
    """Read all notes."""
    return {row[0] for row in database.rows("SELECT note FROM notes")}


def wait_until_pending(database: Database, count: int) -> None:
    """Wait until so many callers queue behind the commit under way."""
    pause = threading.Event()
    for _ in range(1000):
        if len(database.writer._pending) >= count:
            return
        pause.wait(0.005)
    raise AssertionError(f"{count} callers never queued")


def test_every_commit_is_synced(database: Database) -> None:
    def settings(connection: Connection) -> tuple[object, ...]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)

    with database.reader() as reader:
        assert settings(reader) == ("wal", 2, 1)
    assert database.writer.run(settings) == ("wal", 2, 1)


def test_callers_that_wait_share_one_commit_and_get_their_own_results(database: Database) -> None:
    entered, go_on = threading.Event(), threading.Event()
    results: dict[str, int] = {}

    def slow(connection: Connection) -> None:
        entered.set()
        go_on.wait(5)

    def one(name: str) -> None:
        results[name] = add(database, name)

    leader = threading.Thread(target=database.writer.run, args=(slow,))
    leader.start()
    entered.wait(5)
    names = [f"note {number}" for number in range(32)]
    followers = [threading.Thread(target=one, args=(name,)) for name in names]
    for follower in followers:
        follower.start()
    wait_until_pending(database, 32)
    before = database.writer.commits
    go_on.set()
    for thread in (leader, *followers):
        thread.join()
    assert database.writer.commits == before + 2
    found = database.rows("SELECT note, id FROM notes")
    assert {str(note): number for note, number in found} == results
    assert len(results) == 32


def test_32_threads_lose_nothing(database: Database) -> None:
    def many(thread: int) -> None:
        for number in range(25):
            add(database, f"{thread}.{number}")

    threads = [threading.Thread(target=many, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes(database)) == 800
    assert database.writer.commits <= 800


def test_a_failing_caller_undoes_its_own_part_only(database: Database) -> None:
    entered, go_on = threading.Event(), threading.Event()
    caught: list[BaseException] = []

    def slow(connection: Connection) -> None:
        entered.set()
        go_on.wait(5)

    def broken(connection: Connection) -> None:
        connection.execute("INSERT INTO notes (note) VALUES ('half')")
        raise ValueError("mine alone")

    def fail() -> None:
        try:
            database.writer.run(broken)
        except ValueError as error:
            caught.append(error)

    threads = [
        threading.Thread(target=database.writer.run, args=(slow,)),
        threading.Thread(target=fail),
        threading.Thread(target=add, args=(database, "whole")),
    ]
    threads[0].start()
    entered.wait(5)
    for thread in threads[1:]:
        thread.start()
    wait_until_pending(database, 2)
    go_on.set()
    for thread in threads:
        thread.join()
    assert notes(database) == {"whole"}
    assert [str(error) for error in caught] == ["mine alone"]


def test_a_caller_alone_that_fails_leaves_nothing(database: Database) -> None:
    def broken(connection: Connection) -> None:
        connection.execute("INSERT INTO notes (note) VALUES ('half')")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        database.writer.run(broken)
    assert notes(database) == set()
    assert add(database, "next") == 1


def test_a_disk_that_refuses_makes_the_commit_unavailable(database: Database) -> None:
    def fill(connection: Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1")
        for _ in range(100):
            connection.execute("INSERT INTO notes (note) VALUES (?)", ("x" * 4096,))

    with pytest.raises(Unavailable, match="full"):
        database.writer.run(fill)
    assert notes(database) == set()


def test_a_broken_rule_of_the_schema_is_the_callers_own_error(database: Database) -> None:
    def twice(connection: Connection) -> None:
        connection.execute("INSERT INTO notes (id, note) VALUES (1, 'a'), (1, 'b')")

    with pytest.raises(sqlite3.IntegrityError):
        database.writer.run(twice)


def test_a_crash_in_one_part_frees_those_who_wait(database: Database) -> None:
    class Crash(BaseException):
        pass

    entered, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def slow(connection: Connection) -> None:
        entered.set()
        go_on.wait(5)

    def crash(connection: Connection) -> None:
        raise Crash

    def run(name: str) -> None:
        try:
            if name == "crash":
                database.writer.run(crash)
            else:
                add(database, name)
        except (Crash, Unavailable) as error:
            ended.append(type(error).__name__)

    threads = [threading.Thread(target=database.writer.run, args=(slow,))]
    threads += [threading.Thread(target=run, args=(name,)) for name in ("crash", "a", "b")]
    threads[0].start()
    entered.wait(5)
    for thread in threads[1:]:
        thread.start()
    wait_until_pending(database, 3)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert len(ended) == 3
    assert notes(database) == set()
    assert add(database, "next") == 1


def test_many_readers_share_a_few_connections(database: Database) -> None:
    add(database, "a")
    entered: list[int] = []
    together, lent = [0], threading.Lock()

    def look() -> None:
        with database.reader() as reader:
            with lent:
                together[0] += 1
                entered.append(together[0])
            reader.execute("SELECT count(*) FROM notes").fetchone()
            with lent:
                together[0] -= 1

    threads = [threading.Thread(target=look) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 100
    assert max(entered) <= READERS


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between threads")
def test_a_caller_that_is_interrupted_while_it_waits_stops_nobody(database: Database) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def slow(connection: Connection) -> None:
        entered.set()
        go_on.wait(5)

    def poke() -> None:
        wait_until_pending(database, 1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    entered, go_on = threading.Event(), threading.Event()
    kept = signal.signal(signal.SIGUSR1, interrupt)
    threads = [
        threading.Thread(target=database.writer.run, args=(slow,)),
        threading.Thread(target=poke),
    ]
    try:
        threads[0].start()
        entered.wait(5)
        threads[1].start()
        with pytest.raises(Interrupted):
            add(database, "interrupted")
    finally:
        signal.signal(signal.SIGUSR1, kept)
        go_on.set()
        for thread in threads:
            thread.join()
    add(database, "next")
    assert notes(database) == {"next"}


def test_a_reader_sees_what_was_committed_and_can_not_write(database: Database) -> None:
    add(database, "a")
    assert database.rows("SELECT count(*) FROM notes") == [(1,)]
    with pytest.raises(Unavailable, match="readonly"):
        database.rows("INSERT INTO notes (note) VALUES ('b')")
    assert notes(database) == {"a"}


def test_a_file_opens_again_with_what_it_held(tmp_path: Path) -> None:
    first = opened(tmp_path / "notes.db")
    add(first, "kept")
    first.close()
    second = opened(tmp_path / "notes.db")
    assert notes(second) == {"kept"}
    second.close()
    with pytest.raises(Unavailable, match="closed"):
        second.rows("SELECT 1")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "notes.db", version=2).close()
    with pytest.raises(ConfigurationError, match=r"newer Cartwheel .* 2, this one knows 1"):
        opened(tmp_path / "notes.db")


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.commit()
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="something else"):
        opened(path)
    assert path.read_bytes() == before
    opened(tmp_path / "other.db", application=78).close()
    with pytest.raises(ConfigurationError, match="something else"):
        opened(tmp_path / "other.db")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("just text, long enough to be looked at" * 100, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="can't be opened as notes"):
        opened(path)
