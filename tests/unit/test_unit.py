"""The unit of work: guard rows, contention, lost replies and the outbox."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Event, PortCall, Unavailable
from cartwheel.unit import OUTBOX_SECONDS, TRIES, Unit, sweep_outbox, transact
from cartwheel_memory import MemoryDisk, MemoryHost

T = TypeVar("T")


class Counter(BaseModel):
    value: int


class World:
    def __init__(self) -> None:
        self.events: list[str] = []
        service = Service("test")
        service.collection("counters")

        @service.on("counted")
        def count(ctx: Context, event: Event) -> None:
            self.events.append(event.id)

        self.app = App("test", services=[service])


def increment(unit: Unit) -> Counter:
    counter = unit.get("it", Counter) or Counter(value=0)
    counter = Counter(value=counter.value + 1)
    unit.put("it", counter)
    unit.emit("counted", {"value": counter.value})
    return counter


def open_host(
    world: World,
    hook: Callable[[PortCall, Callable[[], object]], object] | None = None,
    disk: MemoryDisk | None = None,
) -> MemoryHost:
    return MemoryHost(world.app, HostOptions(hook=hook, log=discard), disk=disk)  # type: ignore[arg-type]  # a hook of these tests returns what it is given


class Lose:
    """Loses the reply of the first commit, or refuses it before it is applied."""

    def __init__(self, *, applied: bool) -> None:
        self.applied, self.done = applied, False

    def __call__(self, call: PortCall, invoke: Callable[[], object]) -> object:
        if call.operation == "commit" and not self.done:
            self.done = True
            if self.applied:
                invoke()
            raise Unavailable("no reply")
        return invoke()


def test_the_same_key_has_one_effect_and_answers_from_its_record() -> None:
    host = open_host(World())
    first = transact(host.ports, "counters", "p", increment, key="k", result=Counter)
    again = transact(host.ports, "counters", "p", increment, key="k", result=Counter)
    other = transact(host.ports, "counters", "p", increment, key="l", result=Counter)
    assert (first.value, again.value, other.value) == (1, 1, 2)


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_reply_is_settled_by_the_guard_row(applied: bool) -> None:
    host = open_host(World(), Lose(applied=applied))
    value = transact(host.ports, "counters", "p", increment, key="k", result=Counter)
    assert value.value == 1
    assert transact(host.ports, "counters", "p", increment, key="l", result=Counter).value == 2


def test_without_a_key_an_unknown_outcome_is_the_callers_to_settle() -> None:
    host = open_host(World(), Lose(applied=True))
    with pytest.raises(Unavailable):
        transact(host.ports, "counters", "p", increment)


def test_what_the_work_raises_leaves_nothing_behind() -> None:
    host = open_host(World())

    def refuse(unit: Unit) -> Counter:
        increment(unit)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        transact(host.ports, "counters", "p", refuse, key="k")
    assert host.ports.store.scan("counters", "p").rows == ()


def test_writers_of_one_row_all_come_through() -> None:
    host = open_host(World())
    threads = [
        threading.Thread(
            target=transact, args=(host.ports, "counters", "p", increment), kwargs={"key": str(i)}
        )
        for i in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = host.ports.store.get("counters", "p", "it")
    assert row is not None
    assert row.data == {"value": 32}


def test_a_row_that_others_keep_writing_ends_in_unavailable() -> None:
    host = open_host(World())

    def interfere(unit: Unit) -> Counter:
        mine = increment(unit)
        transact(host.ports, "counters", "p", increment)
        return mine

    with pytest.raises(Unavailable, match=f"{TRIES} tries"):
        transact(host.ports, "counters", "p", interfere)


@pytest.mark.parametrize("scanned", [False, True])
def test_a_row_that_changed_between_two_reads_is_a_conflict_and_read_anew(scanned: bool) -> None:
    host = open_host(World())
    transact(host.ports, "counters", "p", increment)
    others = [1]

    def twice(unit: Unit) -> Counter:
        first = unit.get("it", Counter)
        assert first is not None
        while others:
            others.pop()
            transact(host.ports, "counters", "p", increment)
        # A helper that reads for itself, whatever its caller has read.
        assert unit.scan("it", Counter) if scanned else unit.get("it", Counter)
        counter = Counter(value=first.value + 1)
        unit.put("it", counter)
        return counter

    assert transact(host.ports, "counters", "p", twice).value == 3
    row = host.ports.store.get("counters", "p", "it")
    assert row is not None
    assert row.data == {"value": 3}


def test_an_event_is_delivered_after_the_commit_and_its_outbox_row_goes() -> None:
    world = World()
    host = open_host(world)
    transact(host.ports, "counters", "p", increment, key="k", result=Counter)
    host.settle()
    assert world.events == ["evt_000001"]
    keys = [row.key for row in host.ports.store.scan("counters", "p").rows]
    assert keys == ["guard#k", "it"]


class _Crash(BaseException):
    pass


def test_an_event_left_in_the_outbox_by_a_crash_is_swept() -> None:
    world, disk = World(), MemoryDisk()

    def crash(call: PortCall, invoke: Callable[[], object]) -> object:
        if call.port == "events":
            raise _Crash
        return invoke()

    with pytest.raises(_Crash):
        transact(open_host(world, crash, disk).ports, "counters", "p", increment, key="k")
    host = open_host(world, disk=disk)
    host.settle(OUTBOX_SECONDS - 1)
    assert world.events == []
    assert sweep_outbox(host.ports, ("counters",)) == 0
    host.settle(1)
    assert sweep_outbox(host.ports, ("counters",)) == 1
    host.settle()
    assert world.events == ["evt_000001"]
    assert sweep_outbox(host.ports, ("counters",)) == 0


def test_the_framework_sweeps_by_itself() -> None:
    world = World()
    failing = {"on": True}

    def refuse(call: PortCall, invoke: Callable[[], object]) -> object:
        if call.port == "events" and failing["on"]:
            raise Unavailable("the bus is down")
        return invoke()

    host = open_host(world, refuse)
    transact(host.ports, "counters", "p", increment, key="k", result=Counter)
    failing["on"] = False
    host.settle(61)
    assert world.events == ["evt_000001"]
