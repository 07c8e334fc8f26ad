"""What every scheduler promises: the functions that an application has run every so often."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import Host
from cartwheel.ports import Event, JsonObject, Ports, Put, rfc3339
from cartwheel.testing._base import Contract, OpenHost, note, notes, with_notes
from cartwheel.unit import OUTBOX_FIELD, PENDING

LEFT = "kit_left"
EVENT = "kit.left_behind"
STEADY, BROKEN = "kit.steady", "kit.broken"
SECONDS = 2


def steady(ctx: Context) -> None:
    """Note a tick."""
    note(ctx.ports, STEADY, {"now": ctx.ports.clock.now()})


def broken(ctx: Context) -> None:
    """Note a tick and fail."""
    note(ctx.ports, BROKEN, {"now": ctx.ports.clock.now()})
    raise RuntimeError("this schedule always fails")


def found(ctx: Context, event: Event) -> None:
    """Note an event."""
    note(ctx.ports, event.id, {"data": event.data})


@cache
def scheduled_app() -> App:
    """Make the application whose schedules are tested."""
    service = with_notes(Service("kit"))
    service.collection(LEFT)
    service.every(1)(broken)
    service.every(SECONDS)(steady)
    service.on(EVENT)(found)
    return App("kit_scheduled", services=[service])


def ticks(ports: Ports, schedule: str) -> list[float]:
    """Give when a schedule ran."""
    return [float(str(one["now"])) for one in notes(ports, schedule)]


class SchedulerContract(Contract):
    """Holds an adapter to its schedules; here `open_host` has to give a state of its own."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(scheduled_app()) as host:
            yield host

    def test_a_schedule_runs_again_and_again_one_interval_apart(self, open_host: OpenHost) -> None:
        with open_host(scheduled_app()) as host:
            opened = host.ports.clock.now()
            self.pass_time(host, 3 * SECONDS + 0.5)
            seen = ticks(host.ports, STEADY)
            passed = host.ports.clock.now() - opened
        # A platform's ticks come a little late, never early, and none is left out.
        assert 2 <= len(seen) <= passed // SECONDS
        assert seen[0] >= opened + SECONDS - 0.5
        assert all(later - sooner >= SECONDS - 1 for sooner, later in pairwise(seen))

    def test_a_schedule_that_fails_has_its_next_tick_and_holds_up_no_other(
        self, host: Host
    ) -> None:
        self.eventually(host, lambda: len(ticks(host.ports, BROKEN)) >= 2, "second failing tick")
        self.eventually(host, lambda: ticks(host.ports, STEADY), "tick beside the failing ones")

    def test_an_event_that_a_crash_left_in_an_outbox_is_swept_and_delivered(
        self, host: Host
    ) -> None:
        at = rfc3339(host.ports.clock.now())
        row: JsonObject = {
            OUTBOX_FIELD: PENDING,
            "id": "evt_left",
            "type": EVENT,
            "data": {"n": 1},
            "at": at,
        }
        host.ports.store.commit(LEFT, "place", [Put("outbox#evt_left", row, 0)])
        if self.virtual_time:
            self.pass_time(host, 60)
        else:
            host.dispatcher.tick("cartwheel.sweep_outbox")
        got = self.eventually(host, lambda: notes(host.ports, "evt_left"), "swept event")
        assert got[0] == {"data": {"n": 1}}
        assert host.ports.store.get(LEFT, "place", "outbox#evt_left") is None
