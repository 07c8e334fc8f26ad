"""What every Queue promises."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from cartwheel.host import Host
from cartwheel.ports import (
    MAX_DELAY,
    MAX_ITEM_BYTES,
    ConfigurationError,
    InvalidWrite,
    JsonObject,
    Message,
)
from cartwheel.testing._base import Contract, OpenHost, fresh
from cartwheel.testing._messaging_app import DIRECT, SLOWLY, WORK, messaging_app, seen

WORKER = "kit.worker"
CALLED = "kit.direct"


class QueueContract(Contract):
    """Holds a Queue to its port: delivery is at least once, so more than once is allowed."""

    @pytest.fixture
    def host(self, open_host: OpenHost) -> Iterator[Host]:
        """Give a host that is closed afterwards."""
        with open_host(messaging_app()) as host:
            yield host

    def received(
        self, host: Host, message_id: str, times: int = 1, consumer: str = WORKER
    ) -> JsonObject:
        """Wait until the consumer got a message so many times, and give its last note."""

        def look() -> list[JsonObject] | None:
            got = seen(host.ports, consumer, message_id)
            return got if len(got) >= times else None

        found = self.eventually(
            host, look, f"delivery {times} of message {message_id} to {consumer}"
        )
        return found[-1]

    def test_the_consumer_gets_the_message_as_it_was_sent(self, host: Host) -> None:
        body: JsonObject = {"n": 2**40, "text": "ünï 😀", "list": [None, True, {"a": "b"}]}
        message = Message(fresh("msg"), body)
        host.ports.queue.send(WORK, message)
        assert self.received(host, message.id)["body"] == body

    def test_all_messages_are_delivered(self, host: Host) -> None:
        messages = [Message(fresh("msg"), {"n": n}) for n in range(30)]
        for message in messages:
            host.ports.queue.send(WORK, message)
        for message in messages:
            assert self.received(host, message.id)["body"] == message.body

    def test_a_delayed_message_comes_after_its_delay_and_not_before(self, host: Host) -> None:
        late, soon = Message(fresh("msg"), {}), Message(fresh("msg"), {})
        sent = host.ports.clock.now()
        host.ports.queue.send(WORK, late, delay=2)
        host.ports.queue.send(WORK, soon)
        self.received(host, soon.id)
        found = self.received(host, late.id)["now"]
        assert isinstance(found, float | int)
        # A tenth of a second: the clocks of a platform's parts differ a little.
        assert found >= sent + 1.9

    def test_a_queue_without_a_consumer_is_a_configuration_error_that_names_it(
        self, host: Host
    ) -> None:
        with pytest.raises(ConfigurationError, match="kit_unknown"):
            host.ports.queue.send("kit_unknown", Message(fresh("msg"), {}))
        with pytest.raises(ConfigurationError, match="kit_unknown"):
            host.ports.queue.send("kit_unknown", Message(fresh("msg"), {}), delay=1)

    @pytest.mark.parametrize("delay", [-1, MAX_DELAY + 1])
    def test_a_delay_that_no_platform_keeps_is_a_value_error(self, host: Host, delay: int) -> None:
        with pytest.raises(ValueError, match=str(MAX_DELAY)):
            host.ports.queue.send(WORK, Message(fresh("msg"), {}), delay=delay)

    def test_a_message_may_be_as_large_as_the_limit_and_no_larger(self, host: Host) -> None:
        text = "x" * (MAX_ITEM_BYTES - len('{"text":""}'))
        message = Message(fresh("msg"), {"text": text})
        host.ports.queue.send(WORK, message)
        assert self.received(host, message.id)["body"] == message.body
        with pytest.raises(InvalidWrite, match=str(MAX_ITEM_BYTES)):
            host.ports.queue.send(WORK, Message(fresh("msg"), {"text": text + "x"}))

    def test_a_message_whose_consumer_fails_comes_again_under_the_same_id_and_key(
        self, host: Host
    ) -> None:
        message = Message(fresh("msg"), {"fail": {WORKER: 2}})
        host.ports.queue.send(WORK, message)
        self.received(host, message.id, times=3)
        tries = seen(host.ports, WORKER, message.id)
        assert len({str(found["key"]) for found in tries}) == 1
        assert all(found["body"] == message.body for found in tries)

    def test_tries_are_as_far_apart_as_the_consumer_says(self, host: Host) -> None:
        message = Message(fresh("msg"), {"fail": {"kit.patient": 2}})
        host.ports.queue.send(SLOWLY, message)
        self.received(host, message.id, times=3, consumer="kit.patient")
        at = [float(str(one["now"])) for one in seen(host.ports, "kit.patient", message.id)]
        assert all(later - sooner >= 0.9 for sooner, later in pairwise(at))

    def test_a_message_that_fails_holds_up_no_other(self, host: Host) -> None:
        bad, good = Message(fresh("msg"), {"fail": {WORKER: -1}}), Message(fresh("msg"), {})
        host.ports.queue.send(WORK, bad)
        host.ports.queue.send(WORK, good)
        self.received(host, good.id)
        self.received(host, bad.id, times=2)

    def test_a_consumer_may_send_to_another_queue(self, host: Host) -> None:
        relayed = fresh("msg")
        message = Message(fresh("msg"), {"relay": relayed})
        host.ports.queue.send(WORK, message)
        assert self.received(host, relayed, consumer="kit.relay")["body"] == {"from": message.id}

    def test_a_message_may_be_changed_after_it_was_sent(self, host: Host) -> None:
        body: JsonObject = {"n": 1}
        message = Message(fresh("msg"), body)
        host.ports.queue.send(WORK, message)
        body["n"] = 2
        assert self.received(host, message.id)["body"] == {"n": 1}

    def test_a_direct_consumer_gets_the_message_as_it_was_sent(self, host: Host) -> None:
        body: JsonObject = {"n": 2**40, "text": "ünï 😀", "list": [None, True, {"a": "b"}]}
        message = Message(fresh("msg"), body)
        host.ports.queue.send(DIRECT, message)
        assert self.received(host, message.id, consumer=CALLED)["body"] == body

    def test_a_direct_consumer_gets_all_messages(self, host: Host) -> None:
        # Fewer than for a queue: a platform may start a process for each.
        messages = [Message(fresh("msg"), {"n": n}) for n in range(10)]
        for message in messages:
            host.ports.queue.send(DIRECT, message)
        for message in messages:
            assert self.received(host, message.id, consumer=CALLED)["body"] == message.body

    def test_a_function_may_call_another_directly(self, host: Host) -> None:
        called = fresh("msg")
        message = Message(fresh("msg"), {"call": called})
        host.ports.queue.send(WORK, message)
        assert self.received(host, called, consumer=CALLED)["body"] == {"from": message.id}

    def test_a_direct_consumer_that_fails_is_tried_again_under_the_same_id_and_key(
        self, host: Host
    ) -> None:
        message = Message(fresh("msg"), {"fail": {CALLED: 2}})
        host.ports.queue.send(DIRECT, message)
        self.received(host, message.id, times=3, consumer=CALLED)
        tries = seen(host.ports, CALLED, message.id)
        assert len({str(found["key"]) for found in tries}) == 1
        assert all(found["body"] == message.body for found in tries)

    def test_a_message_for_a_direct_consumer_can_not_be_delayed(self, host: Host) -> None:
        message = Message(fresh("msg"), {})
        with pytest.raises(ConfigurationError, match=f"{DIRECT}.*{CALLED} is invoked directly"):
            host.ports.queue.send(DIRECT, message, delay=1)
        with pytest.raises(ValueError, match=str(MAX_DELAY)):
            host.ports.queue.send(DIRECT, message, delay=MAX_DELAY + 1)
        self.pass_time(host, 2)
        assert not seen(host.ports, CALLED, message.id)

    def test_a_direct_consumer_takes_as_much_as_a_queue_and_no_more(self, host: Host) -> None:
        # Quotes are what grows most when texts are put into one another.
        text = '"' * ((MAX_ITEM_BYTES - len('{"text":""}')) // 2)
        message = Message(fresh("msg"), {"text": text})
        host.ports.queue.send(DIRECT, message)
        assert self.received(host, message.id, consumer=CALLED)["body"] == message.body
        with pytest.raises(InvalidWrite, match=str(MAX_ITEM_BYTES)):
            host.ports.queue.send(DIRECT, Message(fresh("msg"), {"text": text + '"'}))
