"""The host in memory: deliveries, schedules, virtual time, crashes, what lies outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import (
    ConfigurationError,
    Mail,
    Message,
    PortCall,
    Put,
    SecretNotFound,
    TextMessage,
    from_rfc3339,
)
from cartwheel_memory import CountedIds, MemoryDisk, MemoryHost, VirtualClock
from tests.unit.memory.parts import Crash, Scene, painted

QUIET = HostOptions(log=discard)
START = from_rfc3339("2026-01-01T00:00:00Z")


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def host(scene: Scene) -> Iterator[MemoryHost]:
    with MemoryHost(scene.app(), QUIET) as host:
        yield host


def failing(who: str, times: int) -> Scene:
    """Make a scene in which a function fails so many times."""
    left = [times]

    def act(name: str) -> None:
        if name == who and left[0]:
            left[0] -= 1
            raise ValueError("broken")

    return Scene(act=act)


def test_the_adapter_is_found_by_name() -> None:
    adapter = load_adapter("memory")
    assert (adapter.info.durable, adapter.info.virtual_time, adapter.missing()) == (False, True, ())
    with adapter.open(Scene().app(), QUIET) as host:
        assert host.ports.clock.now() == START


def test_an_event_reaches_every_subscription_once_settled(scene: Scene, host: MemoryHost) -> None:
    host.ports.events.publish([painted(1), painted(2)])
    assert scene.seen == []
    host.settle()
    assert scene.names("first") == scene.names("second") == ["evt_1", "evt_2"]
    host.settle()
    assert len(scene.seen) == 4


def test_a_delayed_message_comes_when_its_time_has(scene: Scene, host: MemoryHost) -> None:
    host.ports.queue.send("jobs", Message("m1", {}), delay=30)
    host.settle(29)
    assert scene.names("worker") == []
    host.settle(1)
    assert scene.times("worker") == [START + 30]


def test_a_message_for_a_queue_without_consumer_is_refused(host: MemoryHost) -> None:
    with pytest.raises(ConfigurationError, match=r"'job' has no consumer.*jobs"):
        host.ports.queue.send("job", Message("m1", {}))


def test_a_failing_subscriber_is_tried_again_later_and_the_other_is_not_disturbed() -> None:
    scene = failing("first", 2)
    with MemoryHost(scene.app(delay=2), QUIET) as host:
        host.ports.events.publish([painted(1)])
        host.settle(100)
        assert scene.times("first") == [START, START + 2, START + 6]
        assert scene.times("second") == [START]
        assert host.ports.dead_letters.list() == []


def test_a_delivery_that_keeps_failing_becomes_a_dead_letter_and_can_be_redriven() -> None:
    scene = failing("worker", 3)
    with MemoryHost(scene.app(attempts=3), QUIET) as host:
        dead = host.ports.dead_letters
        host.ports.queue.send("jobs", Message("m1", {"a": [1]}))
        host.settle(100)
        [letter] = dead.list()
        assert (letter.consumer, letter.body, letter.attempts) == ("demo.worker", {"a": [1]}, 3)
        assert (letter.error, letter.at) == ("ValueError: broken", "2026-01-01T00:00:06.000Z")
        dead.redrive(letter.id)
        host.settle()
        assert (scene.names("worker"), dead.list()) == (["m1"] * 4, [])


def test_dead_letters_are_listed_oldest_first_and_discarded_one_by_one() -> None:
    scene = failing("worker", 100)
    with MemoryHost(scene.app(attempts=1), QUIET) as host:
        dead = host.ports.dead_letters
        for number in range(3):
            host.ports.queue.send("jobs", Message(f"m{number}", {"number": number}))
        host.settle()
        assert [letter.body["number"] for letter in dead.list()] == [0, 1, 2]
        assert len(dead.list(limit=2)) == 2
        dead.discard(dead.list()[1].id)
        assert [letter.body["number"] for letter in dead.list()] == [0, 2]
        with pytest.raises(KeyError):
            dead.discard("dlv_000002")
        with pytest.raises(KeyError):
            dead.redrive("nonsense")


def test_a_delivery_for_a_consumer_that_is_gone_becomes_a_dead_letter(scene: Scene) -> None:
    from cartwheel.app import App, Service

    disk = MemoryDisk()
    MemoryHost(scene.app(), QUIET, disk=disk).ports.queue.send("jobs", Message("m1", {}))
    without = App("demo", services=[Service("demo")])
    with MemoryHost(without, QUIET, disk=disk) as host:
        host.settle()
        [letter] = host.ports.dead_letters.list()
        assert "no consumer 'demo.worker'" in letter.error


def test_a_delivery_cut_short_by_a_crash_is_due_again_on_the_same_disk() -> None:
    def crash(who: str) -> None:
        if who == "worker":
            raise Crash

    disk, before, after = MemoryDisk(), Scene(act=crash), Scene()
    host = MemoryHost(before.app(), QUIET, disk=disk)
    host.ports.queue.send("jobs", Message("m1", {}))
    with pytest.raises(Crash):
        host.settle()
    MemoryHost(after.app(), QUIET, disk=disk).settle()
    assert (before.names("worker"), after.names("worker")) == (["m1"], ["m1"])


def test_rows_time_and_ids_go_on_in_the_next_host(scene: Scene) -> None:
    disk = MemoryDisk()
    first = MemoryHost(scene.app(), QUIET, disk=disk)
    first.ports.store.commit("things", "p", [Put("a", {}, 0)])
    assert first.ports.ids.new("ord") == "ord_000001"
    first.settle(5)
    second = MemoryHost(scene.app(), QUIET, disk=disk)
    assert second.ports.store.get("things", "p", "a") is not None
    assert (second.ports.ids.new("ord"), second.clock.now()) == ("ord_000002", START + 5)


def test_schedules_run_only_as_time_is_moved(scene: Scene, host: MemoryHost) -> None:
    host.settle()
    assert scene.names("minutely") == []
    host.settle(185)
    assert scene.times("minutely") == [START + 60, START + 120, START + 180]
    assert host.clock.now() == START + 185


def test_missed_ticks_are_one_tick_and_the_rhythm_stays(scene: Scene, host: MemoryHost) -> None:
    host.clock.advance(310)
    host.settle()
    assert scene.times("minutely") == [START + 310]
    host.settle(60)
    assert scene.times("minutely")[1:] == [START + 360]


def test_a_schedule_that_fails_is_logged_and_comes_again() -> None:
    lines: list[str] = []
    scene = failing("minutely", 1)
    with MemoryHost(scene.app(), HostOptions(log=lines.append)) as host:
        host.settle(120)
    assert len(scene.names("minutely")) == 2
    assert [line for line in lines if "schedule failed" in line and "broken" in line]


def test_settling_does_everything_in_the_order_of_time(scene: Scene, host: MemoryHost) -> None:
    host.ports.queue.send("jobs", Message("late", {}), delay=90)
    host.ports.queue.send("jobs", Message("early", {}), delay=10)
    host.settle(120)
    assert [who for who, _, _ in scene.seen] == ["worker", "minutely", "worker", "minutely"]
    assert scene.names("worker") == ["early", "late"]


def test_the_hook_stands_around_every_effect(scene: Scene) -> None:
    calls: list[str] = []

    class Recorder:
        def __call__(self, call: PortCall, invoke):  # type: ignore[no-untyped-def]  # generic
            calls.append(f"{call.port}.{call.operation}")
            return invoke()

    with MemoryHost(scene.app(), HostOptions(log=discard, hook=Recorder())) as host:
        assert {call.split(".")[0] for call in calls} == {"journal"}
        calls.clear()
        host.ports.store.commit("things", "p", [Put("a", {}, 0)])
        host.ports.mailer.send(Mail("m", "a@b.example", "s", "t"))
        host.ports.clock.now()
    assert calls == ["store.commit", "mailer.send"]


def test_a_mail_sent_twice_is_in_the_mailbox_once(host: MemoryHost) -> None:
    for subject in ("first", "again"):
        host.ports.mailer.send(Mail("m1", "a@b.example", subject, "text"))
        host.ports.sms.send(TextMessage("t1", "+4912345", subject))
    assert [mail.subject for mail in host.mailbox.mails()] == ["first"]
    assert [text.text for text in host.mailbox.texts()] == ["first"]


def test_secrets_come_from_the_options_or_are_the_applications_own(scene: Scene) -> None:
    options = HostOptions(log=discard, secrets={"api_key": "given"})
    with MemoryHost(scene.app(), options) as host:
        secrets = host.ports.secrets
        assert secrets.get("api_key").reveal() == "given"
        assert len(secrets.get("jwt_signing_key").reveal()) >= 32
        assert secrets.get("jwt_signing_key") != secrets.get("cart_signing_key")
        with pytest.raises(SecretNotFound, match=r"HostOptions\(secrets="):
            secrets.get("webhook")


def test_a_sleep_takes_no_real_time_and_the_clock_goes_forward_only() -> None:
    clock = VirtualClock()
    clock.sleep(30 * 86400)
    clock.sleep(-1)
    assert clock.now() == START + 30 * 86400
    clock.advance(2.5)
    clock.advance_to(START)
    assert clock.now() == START + 30 * 86400 + 2.5
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_ids_count_by_prefix_and_tokens_differ() -> None:
    ids, same = CountedIds(), CountedIds()
    assert [ids.new("a"), ids.new("b"), ids.new("a")] == ["a_000001", "b_000001", "a_000002"]
    tokens = [ids.token(), ids.token(), ids.token(16)]
    assert len(set(tokens)) == 3
    assert [len(token) for token in tokens] == [43, 43, 22]
    assert same.token() == tokens[0]
