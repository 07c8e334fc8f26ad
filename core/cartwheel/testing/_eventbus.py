"""What every EventBus promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.host import Host
from cartwheel.ports import MAX_ITEM_BYTES, Event, InvalidWrite, JsonObject, Ports, rfc3339
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._messaging_app import HAPPENED, OTHER, messaging_app, seen

FIRST, SECOND = "kit.first", "kit.second"


class EventBusContract(Contract):
    """Holds an EventBus to its port: delivery is at least once, so more than once is allowed."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(messaging_app()) as host:
            yield host

    def received(self, host: Host, consumer: str, event_id: str, times: int = 1) -> JsonObject:
        """Wait until a consumer got an event so many times, and give its last note."""

        def look() -> list[JsonObject] | None:
            got = seen(host.ports, consumer, event_id)
            return got if len(got) >= times else None

        found = self.eventually(host, look, f"delivery {times} of event {event_id} to {consumer}")
        return found[-1]

    def test_every_subscriber_of_the_type_gets_the_event_as_it_was_published(
        self, host: Host
    ) -> None:
        data: JsonObject = {"n": 2**40, "text": "ünï 😀", "list": [None, True, {"a": "b"}]}
        event = _event(host.ports, data=data)
        host.ports.events.publish([event])
        for consumer in (FIRST, SECOND):
            found = self.received(host, consumer, event.id)
            assert (found["type"], found["data"], found["at"]) == (HAPPENED, data, event.at)

    def test_subscribers_of_other_types_do_not_get_it(self, host: Host) -> None:
        happened, other = _event(host.ports), _event(host.ports, OTHER)
        host.ports.events.publish([happened, other])
        self.received(host, FIRST, happened.id)
        self.received(host, SECOND, happened.id)
        self.received(host, "kit.other", other.id)
        assert seen(host.ports, "kit.other", happened.id) == []
        assert seen(host.ports, FIRST, other.id) == []

    def test_events_without_a_subscriber_and_no_events_are_accepted(self, host: Host) -> None:
        host.ports.events.publish([])
        host.ports.events.publish([_event(host.ports, "kit.nobody_cares")])
        event = _event(host.ports)
        host.ports.events.publish([event])
        self.received(host, FIRST, event.id)

    def test_all_events_of_a_batch_are_delivered(self, host: Host) -> None:
        events = [_event(host.ports, data={"n": n}) for n in range(25)]
        host.ports.events.publish(events)
        for event in events:
            assert self.received(host, FIRST, event.id)["data"] == event.data
            assert self.received(host, SECOND, event.id)["data"] == event.data

    def test_an_event_published_from_a_subscriber_is_delivered(self, host: Host) -> None:
        following = fresh("evt")
        event = _event(host.ports, data={"chain": following})
        host.ports.events.publish([event])
        assert self.received(host, "kit.chained", following)["data"] == {"from": event.id}

    def test_a_subscriber_that_fails_is_tried_again_under_the_same_key(self, host: Host) -> None:
        event = _event(host.ports, data={"fail": {FIRST: 2}})
        host.ports.events.publish([event])
        self.received(host, FIRST, event.id, times=3)
        assert len({str(found["key"]) for found in seen(host.ports, FIRST, event.id)}) == 1
        assert all(found["data"] == event.data for found in seen(host.ports, FIRST, event.id))
        assert not _letters(host.ports, event)

    def test_a_subscriber_that_keeps_failing_leaves_a_dead_letter_and_the_others_alone(
        self, host: Host
    ) -> None:
        event = _event(host.ports, data={"fail": {FIRST: -1}})
        host.ports.events.publish([event])
        self.received(host, SECOND, event.id)
        self.eventually(host, lambda: _letters(host.ports, event), "dead letter")
        assert _letters(host.ports, event) == [FIRST]
        assert len(seen(host.ports, FIRST, event.id)) >= 3

    def test_an_event_may_be_as_large_as_the_limit_and_no_larger(self, host: Host) -> None:
        text = "x" * (MAX_ITEM_BYTES - len('{"text":""}'))
        event = _event(host.ports, data={"text": text})
        host.ports.events.publish([event])
        assert self.received(host, FIRST, event.id)["data"] == event.data
        with pytest.raises(InvalidWrite, match=str(MAX_ITEM_BYTES)):
            host.ports.events.publish([_event(host.ports, data={"text": text + "x"})])

    def test_an_event_may_be_changed_after_it_was_published(self, host: Host) -> None:
        data: JsonObject = {"n": 1}
        event = _event(host.ports, data=data)
        host.ports.events.publish([event])
        data["n"] = 2
        assert self.received(host, FIRST, event.id)["data"] == {"n": 1}


def _event(ports: Ports, type: str = HAPPENED, data: JsonObject | None = None) -> Event:
    return Event(fresh("evt"), type, data or {"mark": fresh("mark")}, rfc3339(ports.clock.now()))


def _letters(ports: Ports, event: Event) -> list[str]:
    return [letter.consumer for letter in ports.dead_letters.list() if letter.body == event.data]
