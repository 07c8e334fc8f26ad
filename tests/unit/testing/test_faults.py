"""Faults fail what they are told to, recorders forget nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cartwheel.app import App, Service
from cartwheel.host import Host
from cartwheel.ports import GatewayTimeout, PortCall, Put, Unavailable
from cartwheel.testing import Crash, Faults, Recorder

COMMIT = PortCall("store", "commit", "orders")
GET = PortCall("store", "get", "orders")
SEND = PortCall("mailer", "send", "")


def outcomes(faults: Faults, *calls: PortCall) -> list[str]:
    """Make calls and give `ok`, or `error before`, or `error after` for each."""
    found: list[str] = []
    for call in calls:
        done: list[bool] = []
        try:
            faults(call, lambda done=done: done.append(True))  # type: ignore[misc]  # a lambda's default
        except (Unavailable, Crash) as error:
            found.append(f"{type(error).__name__} {'after' if done else 'before'}")
        else:
            assert done == [True]
            found.append("ok")
    return found


def test_without_a_plan_every_call_passes() -> None:
    faults = Faults()
    assert outcomes(faults, COMMIT, GET, SEND) == ["ok", "ok", "ok"]
    assert faults.fired == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["Unavailable before", "ok", "ok"]),
        ("store", ["Unavailable before", "ok", "ok"]),
        ("store.get", ["ok", "Unavailable before", "ok"]),
        ("store.get(orders)", ["ok", "Unavailable before", "ok"]),
        ("store.get(order)", ["ok", "ok", "ok"]),
        ("mailer", ["ok", "ok", "Unavailable before"]),
        ("mail", ["ok", "ok", "ok"]),
    ],
)
def test_a_pattern_names_a_call_an_operation_or_a_port(pattern: str, expected: list[str]) -> None:
    faults = Faults()
    faults.fail(pattern)
    assert outcomes(faults, COMMIT, GET, SEND) == expected
    assert faults.unfired == (() if "".join(expected) != "ok" * 3 else (pattern,))


def test_after_means_applied_with_the_reply_lost() -> None:
    faults = Faults()
    faults.fail("store.commit", GatewayTimeout, when="after")
    assert outcomes(faults, GET, COMMIT, COMMIT) == ["ok", "GatewayTimeout after", "ok"]


def test_the_nth_call_and_the_following_ones_fail() -> None:
    faults = Faults()
    faults.fail("*", Crash("killed here"), nth=2, times=2)
    assert outcomes(faults, GET, GET, COMMIT, GET) == ["ok", "Crash before", "Crash before", "ok"]
    assert faults.fired == [GET, COMMIT]


def test_plans_count_their_calls_apart_and_the_first_one_strikes() -> None:
    faults = Faults()
    faults.fail("store.get", nth=2)
    faults.fail("store", Crash, when="after", nth=2)
    assert outcomes(faults, GET, GET, GET) == ["ok", "Unavailable before", "ok"]
    assert faults.unfired == ("store",)
    faults.clear()
    assert outcomes(faults, GET, GET) == ["ok", "ok"]


@pytest.mark.parametrize(("nth", "times"), [(0, 1), (1, 0), (-1, 1)])
def test_counts_begin_at_one(nth: int, times: int) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        Faults().fail("*", nth=nth, times=times)


def test_a_crash_is_no_exception_that_a_product_catches() -> None:
    assert not issubclass(Crash, Exception)


def test_a_recorder_names_calls_in_order_with_their_errors() -> None:
    recorder = Recorder()

    def refuse() -> None:
        raise Unavailable("no")

    recorder(GET, lambda: None)
    with pytest.raises(Unavailable):
        recorder(COMMIT, refuse)
    assert [str(call) for call in recorder.calls] == [
        "store.get(orders)",
        "store.commit(orders) -> Unavailable",
    ]
    recorder(SEND, lambda: None)
    assert recorder.names("store") == ["store.get(orders)", "store.commit(orders)"]
    recorder.clear()
    assert recorder.calls == ()


def test_a_recorder_forgets_nothing_when_threads_call_together() -> None:
    recorder = Recorder()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: recorder(GET, lambda: n), range(200)))
    assert results == list(range(200))
    assert len(recorder.calls) == 200


def test_memory_hosts_start_empty_and_carry_the_hooks_of_the_test(
    memory_host: Callable[[App], Host], faults: Faults, recorder: Recorder
) -> None:
    service = Service("things")
    service.collection("things")
    app = App("things", services=[service])
    first, second = memory_host(app), memory_host(app)
    first.ports.store.commit("things", "p", [Put("a", {}, 0)])
    assert second.ports.store.get("things", "p", "a") is None
    faults.fail("store.commit(things)")
    with pytest.raises(Unavailable):
        second.ports.store.commit("things", "p", [Put("a", {}, 0)])
    assert recorder.names("store") == [
        "store.commit(things)",
        "store.get(things)",
        "store.commit(things)",
    ]
