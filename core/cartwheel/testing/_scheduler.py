"""What every scheduler promises: the functions that an application has run every so often."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import pytest

from cartwheel.host import Host
from cartwheel.ports import JsonObject, Put, rfc3339
from cartwheel.testing._base import Contract, OpenHost, notes
from cartwheel.testing._scheduled_app import (
    BROKEN,
    EVENT,
    LEFT,
    STEADY,
    scheduled_app,
    steady_seconds,
    ticks,
)
from cartwheel.unit import OUTBOX_FIELD, OUTBOX_SECONDS, PENDING


class SchedulerContract(Contract):
    """Holds an adapter to its schedules; here `open_host` has to give a state of its own."""

    shortest_interval: ClassVar[int] = 1
    """Seconds of the shortest schedule that the platform has."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(scheduled_app(self.shortest_interval)) as host:
            yield host

    def test_a_schedule_runs_again_and_again_one_interval_apart(self, open_host: OpenHost) -> None:
        seconds = steady_seconds(self.shortest_interval)
        with open_host(scheduled_app(self.shortest_interval)) as host:
            opened = host.ports.clock.now()
            self.pass_time(host, 3 * seconds + 0.5)
            seen = ticks(host.ports, STEADY)
            passed = host.ports.clock.now() - opened
        # A platform's ticks come a little late, never early, and none is left out. Long schedules
        # may have been deployed a moment before the host was opened.
        some = max(1.0, seconds / 10)
        assert 2 <= len(seen) <= passed // seconds
        assert seen[0] >= opened + seconds - some / 2
        assert all(later - sooner >= seconds - some for sooner, later in pairwise(seen))

    def test_a_schedule_that_fails_has_its_next_tick_and_holds_up_no_other(
        self, host: Host
    ) -> None:
        self.eventually(host, lambda: len(ticks(host.ports, BROKEN)) >= 2, "second failing tick")
        self.eventually(host, lambda: ticks(host.ports, STEADY), "tick beside the failing ones")

    def test_an_event_that_a_crash_left_in_an_outbox_is_swept_and_delivered(
        self, host: Host
    ) -> None:
        at = rfc3339(host.ports.clock.now() - OUTBOX_SECONDS)
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
