"""What every DeadLetters promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.host import Host
from cartwheel.ports import DeadLetter, Event, JsonObject, Message, Ports, from_rfc3339, rfc3339
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._messaging_app import (
    DELIVERY,
    DIRECT,
    HAPPENED,
    WORK,
    let_through,
    messaging_app,
    seen,
)

WORKER = "kit.worker"
CALLED = "kit.direct"
MANY = 10_000
"""A limit beyond the letters that earlier tests may have left in a shared state."""


class DeadLettersContract(Contract):
    """Holds DeadLetters to its port."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(messaging_app()) as host:
            yield host

    def dead(self, host: Host, mark: str) -> DeadLetter:
        """Wait until there is a dead letter with this mark, and give it."""
        return self.eventually(host, lambda: _find(host.ports, mark), "dead letter")

    def bury(self, host: Host, mark: str) -> Message:
        """Send a message that fails until it is let through, and wait for its dead letter."""
        message = Message(fresh("msg"), {"mark": mark, "fail": {WORKER: -1}})
        host.ports.queue.send(WORK, message)
        self.dead(host, mark)
        return message

    def test_a_dead_letter_says_what_failed_where_why_when_and_how_often(self, host: Host) -> None:
        mark, before = fresh("mark"), host.ports.clock.now()
        message = self.bury(host, mark)
        letter = self.dead(host, mark)
        assert letter.id
        assert letter.consumer == WORKER
        assert letter.body == message.body
        assert f"refuses delivery 3 of {message.id}" in letter.error
        assert letter.attempts == DELIVERY.attempts == len(seen(host.ports, WORKER, message.id))
        assert before - 1 <= from_rfc3339(letter.at) <= host.ports.clock.now() + 1

    def test_a_direct_consumer_that_fails_for_good_has_a_dead_letter_which_can_be_redriven(
        self, host: Host
    ) -> None:
        mark = fresh("mark")
        message = Message(fresh("msg"), {"mark": mark, "fail": {CALLED: -1}})
        host.ports.queue.send(DIRECT, message)
        letter = self.dead(host, mark)
        assert (letter.consumer, letter.body) == (CALLED, message.body)
        assert f"Refused: {CALLED} refuses delivery 3 of {message.id}" in letter.error
        tries = seen(host.ports, CALLED, message.id)
        assert letter.attempts == DELIVERY.attempts == len(tries)
        let_through(host.ports, message.id)
        host.ports.dead_letters.redrive(letter.id)
        self.eventually(
            host,
            lambda: len(seen(host.ports, CALLED, message.id)) > len(tries),
            "delivery after the redrive",
        )
        self.pass_time(host, 1)
        again = seen(host.ports, CALLED, message.id)[len(tries) :]
        assert [(found["body"], found["key"]) for found in again] == [
            (message.body, tries[0]["key"])
        ]
        assert _find(host.ports, mark) is None

    def test_each_subscriber_that_fails_has_a_dead_letter_of_its_own(self, host: Host) -> None:
        mark = fresh("mark")
        data: JsonObject = {"mark": mark, "fail": {"kit.first": -1, "kit.second": -1}}
        event = Event(fresh("evt"), HAPPENED, data, rfc3339(host.ports.clock.now()))
        host.ports.events.publish([event])
        self.eventually(host, lambda: len(_all(host.ports, mark)) == 2, "second dead letter")
        letters = _all(host.ports, mark)
        assert sorted(letter.consumer for letter in letters) == ["kit.first", "kit.second"]
        assert letters[0].id != letters[1].id
        assert all(letter.body == event.data for letter in letters)

    def test_the_oldest_come_first_and_no_more_than_the_limit(self, host: Host) -> None:
        marks = [fresh("mark") for _ in range(3)]
        for mark in marks:
            self.bury(host, mark)
        shown = host.ports.dead_letters.list(limit=MANY)
        mine = [str(letter.body["mark"]) for letter in shown if letter.body.get("mark") in marks]
        assert mine == marks
        assert [letter.id for letter in host.ports.dead_letters.list(limit=2)] == [
            letter.id for letter in shown[:2]
        ]

    def test_a_redriven_letter_is_delivered_from_the_first_attempt(self, host: Host) -> None:
        mark = fresh("mark")
        message = self.bury(host, mark)
        host.ports.dead_letters.redrive(self.dead(host, mark).id)
        tries = 2 * DELIVERY.attempts
        self.eventually(
            host,
            lambda: len(seen(host.ports, WORKER, message.id)) >= tries and _find(host.ports, mark),
            "dead letter after the redrive",
        )
        assert self.dead(host, mark).attempts == DELIVERY.attempts
        assert len(seen(host.ports, WORKER, message.id)) == tries

    def test_a_redriven_letter_that_succeeds_is_gone(self, host: Host) -> None:
        mark = fresh("mark")
        message = self.bury(host, mark)
        before = seen(host.ports, WORKER, message.id)
        let_through(host.ports, message.id)
        letter = self.dead(host, mark)
        host.ports.dead_letters.redrive(letter.id)
        self.eventually(
            host,
            lambda: len(seen(host.ports, WORKER, message.id)) > len(before),
            "delivery after the redrive",
        )
        self.pass_time(host, 1)
        again = seen(host.ports, WORKER, message.id)[len(before) :]
        assert [(found["body"], found["key"]) for found in again] == [
            (message.body, before[0]["key"])
        ]
        assert _find(host.ports, mark) is None
        with pytest.raises(KeyError):
            host.ports.dead_letters.redrive(letter.id)

    def test_a_discarded_letter_is_gone_and_is_not_delivered(self, host: Host) -> None:
        mark, other = fresh("mark"), fresh("mark")
        message = self.bury(host, mark)
        self.bury(host, other)
        letter = self.dead(host, mark)
        host.ports.dead_letters.discard(letter.id)
        self.pass_time(host, 1)
        assert _find(host.ports, mark) is None
        assert len(seen(host.ports, WORKER, message.id)) == DELIVERY.attempts
        assert self.dead(host, other)
        for verb in (host.ports.dead_letters.discard, host.ports.dead_letters.redrive):
            with pytest.raises(KeyError):
                verb(letter.id)

    @pytest.mark.parametrize("letter_id", ["", "unknown", "dlv_000000", "'; --", "1"])
    def test_an_unknown_letter_is_a_key_error(self, host: Host, letter_id: str) -> None:
        with pytest.raises(KeyError):
            host.ports.dead_letters.redrive(letter_id)
        with pytest.raises(KeyError):
            host.ports.dead_letters.discard(letter_id)

    def test_a_letter_may_be_changed_by_its_reader_without_harm(self, host: Host) -> None:
        mark = fresh("mark")
        message = self.bury(host, mark)
        self.dead(host, mark).body["fail"] = {}
        assert self.dead(host, mark).body == message.body


def _all(ports: Ports, mark: str) -> list[DeadLetter]:
    return [one for one in ports.dead_letters.list(limit=MANY) if one.body.get("mark") == mark]


def _find(ports: Ports, mark: str) -> DeadLetter | None:
    return next(iter(_all(ports, mark)), None)
