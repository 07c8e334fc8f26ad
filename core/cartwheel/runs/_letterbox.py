"""Signals and waits of a run whose workflow runs on somebody else's engine, kept in our store.

All of it lies in the run's partition: the head row with the execution's number, the flag of a
cancel and a counter; one row per signal, one per wait. Each change is one commit at the versions
that were read. A change may leave something to be done (a signal to be handed over, a wait to be
woken); whoever comes next does it, so a crash between two commits only delays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

from cartwheel.ports import (
    Check,
    Clock,
    Collection,
    Conflict,
    Index,
    Json,
    JsonObject,
    Put,
    Row,
    RunNotFound,
    Store,
    Unavailable,
    Write,
)
from cartwheel.workflow._effects import Err, Error, Ok, Outcome

LISTED, BY_STATUS = Index("listed", "listed", "order"), Index("status", "status", "order")
RUNS = Collection("runs", (LISTED, BY_STATUS))
"""All that is kept of runs whose engine is foreign, their definitions too; their adapter declares
it."""
CANCELLED = Error("Cancelled", "the run was asked to end")
TRIES = 40
"""Commits tried while others write the same run's rows, before the caller is told Unavailable."""
SIGNAL, CANCEL = "signal#", "cancel#"
_HEAD, _SEEN, _WAIT = "head", "seen#", "wait#"

State = Literal["open", "answered", "closed"]


class Wakeup(Protocol):
    """Answers a wait of the engine's: a task token, a callback address, an event of an instance."""

    def wake(self, token: str, outcome: Outcome) -> bool:
        """Wake a wait; false when nobody waits there any more. Waking twice does no harm."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """Is what is known of a run as a whole; `version` is that of its row, 0 without one."""

    execution: int = 1
    cancelled: bool = False
    ended: bool = False
    count: int = 0
    trace: str = ""
    """The traceparent of what started the run."""
    version: int = 0


class Letterbox:
    """Keeps the signals of runs and wakes their waits; safe to use from several threads."""

    def __init__(self, store: Store, clock: Clock, wakeup: Wakeup) -> None:
        self._store = store
        self._clock = clock
        self._wakeup = wakeup

    def head(self, run_id: str) -> Head:
        """Read a run's head; one that was never written is that of a first execution."""
        row = self._store.get(RUNS.name, run_id, _HEAD)
        if row is None:
            return Head()
        data = row.data
        return Head(
            cast("int", data["execution"]),
            bool(data["cancelled"]),
            bool(data["ended"]),
            cast("int", data["count"]),
            str(data["trace"]),
            row.version,
        )

    def open(self, run_id: str, *others: Write, trace: str = "") -> bool:
        """Begin a run's first execution, with other writes in the same commit.

        False when the run has begun before, or another write met what it did not expect.
        """
        return self._commit(run_id, _put_head(Head(trace=trace)), *others)

    def begin(self, run_id: str, execution: int, *others: Write) -> bool:
        """Note that an execution begins: 1 for the first, one more for each redrive.

        An earlier execution's cancel is over with it, and its signals can be taken again. Beginning
        an execution twice changes nothing, and is false, as it is when one of the other writes of
        the same commit met what it did not expect.
        """
        for _ in self._tries(run_id):
            head = self.head(run_id)
            if head.version and head.execution >= execution:
                return False
            begun = replace(head, execution=execution, cancelled=False, ended=False)
            if self._commit(run_id, _put_head(begun), *others):
                return True
            if others:
                return False
        raise AssertionError("unreachable: the tries end with Unavailable")

    def end(self, run_id: str, *others: Write) -> bool:
        """Note that the run has ended: signals and cancels are refused from now on.

        False when it had ended before, or one of the other writes of the same commit met what it
        did not expect.
        """
        for _ in self._tries(run_id):
            head = self._known(run_id)
            if head.ended:
                return False
            if self._commit(run_id, _put_head(replace(head, ended=True)), *others):
                return True
            if others:
                return False
        raise AssertionError("unreachable: the tries end with Unavailable")

    def cancel(self, run_id: str, reason: str = "") -> bool:
        """Ask a run to end and wake its waits with Cancelled; false when it has ended already.

        The first reason is kept. Raises RunNotFound.
        """
        for _ in self._tries(run_id):
            head = self._known(run_id)
            if head.ended:
                return False
            kept: JsonObject = {"reason": reason, "at": self._now()}
            asked = Put(f"{CANCEL}{head.execution:08d}", kept, 0)
            flagged = _put_head(replace(head, cancelled=True))
            if head.cancelled or self._commit(run_id, flagged, asked):
                break
        self.resume(run_id)
        return True

    def signal(self, run_id: str, name: str, payload: Json, signal_id: str) -> bool:
        """Keep a signal and hand it to the wait that came first, now or later.

        False when the run has had this id before, or has ended. Raises RunNotFound.
        """
        seen = _SEEN + hashlib.sha256(signal_id.encode("utf-8", "surrogatepass")).hexdigest()
        accepted = False
        for _ in self._tries(run_id):
            head = self._known(run_id)
            if head.ended:
                return False
            if self._store.get(RUNS.name, run_id, seen) is not None:
                break
            kept: JsonObject = {
                "name": name,
                "payload": payload,
                "id": signal_id,
                "taken": 0,
                "at": self._now(),
            }
            writes = [
                _put_head(_counted(head)),
                Put(f"{SIGNAL}{head.count:08d}", kept, 0),
                Put(seen, {"number": head.count}, 0),
            ]
            if self._commit(run_id, *writes):
                accepted = True
                break
        self.resume(run_id)
        return accepted

    def wait(self, run_id: str, place: str, signal: str, token: str, until: float | None) -> None:
        """Register a wait at a place (its key without the run) and answer it through its token.

        A wait that is registered again, because the engine lost the first reply, takes the new
        token. `until` is an epoch time from which on no signal is handed to the wait.
        """
        key = _WAIT + place
        for _ in self._tries(run_id):
            head = self.head(run_id)
            row = self._store.get(RUNS.name, run_id, key)
            if row is not None and row.data["execution"] == head.execution:
                data = {**row.data, "token": token, "woken": False}
                if self._commit(run_id, Put(key, data, row.version)):
                    break
                continue
            data = {
                "signal": signal,
                "token": token,
                "until": None if until is None else int(until * 1000),
                "number": head.count,
                "execution": head.execution,
                "state": "open",
                "outcome": None,
                "woken": False,
            }
            expect = 0 if row is None else row.version
            if self._commit(run_id, _put_head(_counted(head)), Put(key, data, expect)):
                break
        self.resume(run_id)

    def expire(self, run_id: str, place: str, signal: str) -> Outcome:
        """Close a wait whose time is over for the engine; gives the answer that came just before,
        or Timeout.
        """
        key = _WAIT + place
        timeout = Err(Error("Timeout", f"signal '{signal}' did not come in time", retryable=True))
        for _ in self._tries(run_id):
            row = self._store.get(RUNS.name, run_id, key)
            if row is None or row.data["state"] == "closed":
                return timeout
            answered = row.data["state"] == "answered"
            data = dict(row.data) if answered else {**row.data, "state": "closed"}
            if self._commit(run_id, Put(key, {**data, "woken": True}, row.version)):
                return _outcome(row.data["outcome"]) if answered else timeout
        raise AssertionError("unreachable: the tries end with Unavailable")

    def resume(self, run_id: str) -> None:
        """Do what is left to be done for a run: hand signals over, wake waits.

        Every other verb ends with this; a sweeper may call it after a crash.
        """
        while self._match(run_id) or self._wake(run_id):
            pass

    def waiting(self, run_id: str, head: Head) -> tuple[str, ...]:
        """Name the signals that the run's open waits wait for, the oldest wait first."""
        now = self._clock.now() * 1000
        waits = [row for row in self.rows(run_id, _WAIT) if _is_open(row, head, now)]
        return tuple(str(row.data["signal"]) for row in sorted(waits, key=_number_of))

    def _match(self, run_id: str) -> bool:
        """Answer one open wait, if there is what to answer it with."""
        head = self.head(run_id)
        now = self._clock.now() * 1000
        waits = [row for row in self.rows(run_id, _WAIT) if _is_open(row, head, now)]
        if not waits:
            return False
        waits.sort(key=_number_of)
        if head.cancelled:
            self._answer(run_id, head, waits[0], Err(CANCELLED))
            return True
        for letter in self.rows(run_id, SIGNAL):
            if cast("int", letter.data["taken"]) >= head.execution:
                continue
            for wait in waits:
                if wait.data["signal"] == letter.data["name"]:
                    taken = {**letter.data, "taken": head.execution}
                    write = Put(letter.key, taken, letter.version)
                    self._answer(run_id, head, wait, Ok(letter.data["payload"]), write)
                    return True
        return False

    def _answer(self, run_id: str, head: Head, wait: Row, outcome: Outcome, *others: Write) -> None:
        letter = others[0].key if others else None
        data = {**wait.data, "state": "answered", "outcome": _json(outcome), "letter": letter}
        writes = [Put(wait.key, data, wait.version), *others]
        # When this meets another's commit, the next look decides anew.
        self._commit(run_id, Check(_HEAD, head.version), *writes)

    def _wake(self, run_id: str) -> bool:
        """Wake one answered wait; the signal of one that is gone is kept for the next."""
        head = self.head(run_id)
        for row in self.rows(run_id, _WAIT):
            data = row.data
            if data["execution"] != head.execution or data["state"] != "answered" or data["woken"]:
                continue
            there = self._wakeup.wake(str(data["token"]), _outcome(data["outcome"]))
            if there:
                self._commit(run_id, Put(row.key, {**data, "woken": True}, row.version))
                return True
            writes: list[Write] = [Put(row.key, {**data, "state": "closed"}, row.version)]
            letter = data.get("letter")
            kept = self._store.get(RUNS.name, run_id, letter) if isinstance(letter, str) else None
            if kept is not None:
                writes.append(Put(kept.key, {**kept.data, "taken": 0}, kept.version))
            self._commit(run_id, *writes)
            return True
        return False

    def _known(self, run_id: str) -> Head:
        head = self.head(run_id)
        if head.version == 0:
            raise RunNotFound(run_id)
        return head

    def rows(self, run_id: str, prefix: str) -> Iterator[Row]:
        """Yield a run's rows whose key starts with a prefix, in the order of their keys."""
        after: str | None = None
        while True:
            page = self._store.scan(RUNS.name, run_id, prefix=prefix, after=after)
            yield from page.rows
            after = page.next
            if after is None:
                return

    def _commit(self, run_id: str, *writes: Write) -> bool:
        try:
            self._store.commit(RUNS.name, run_id, writes)
        except Conflict:
            return False
        return True

    def _now(self) -> int:
        """Give the time in microseconds."""
        return int(self._clock.now() * 1_000_000)

    def _tries(self, run_id: str) -> Iterator[int]:
        yield from range(TRIES)
        raise Unavailable(f"{RUNS.name}/{run_id} stayed contended for {TRIES} tries")


def _put_head(head: Head) -> Put:
    data: JsonObject = {
        "execution": head.execution,
        "cancelled": head.cancelled,
        "ended": head.ended,
        "count": head.count,
        "trace": head.trace,
    }
    return Put(_HEAD, data, head.version)


def _counted(head: Head) -> Head:
    return replace(head, count=head.count + 1)


def _number_of(row: Row) -> int:
    return cast("int", row.data["number"])


def _is_open(row: Row, head: Head, now: float) -> bool:
    data = row.data
    if data["execution"] != head.execution or data["state"] != "open":
        return False
    return head.cancelled or data["until"] is None or now < cast("int", data["until"])


def _json(outcome: Outcome) -> JsonObject:
    if isinstance(outcome, Ok):
        return {"ok": True, "value": outcome.value}
    return {"ok": False, "error": cast("Json", outcome.error.to_json())}


def _outcome(data: Json) -> Outcome:
    read = cast("JsonObject", data)
    if read["ok"]:
        return Ok(read["value"])
    return Err(Error.from_json(cast("dict[str, Json]", read["error"])))
