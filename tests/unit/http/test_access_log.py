"""Which request is which: ids, traces and one line in the log."""

from __future__ import annotations

import pytest

from cartwheel.context import Context
from cartwheel.http import (
    Gateway,
    Request,
)
from cartwheel.log import Log
from cartwheel.ports import Json
from tests.unit.http.world import (
    CANARY,
    OrderView,
    World,
    raising,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("given", ["abc", "A.b_c-1", "x" * 128])
def test_a_request_id_is_echoed(world: World, given: str) -> None:
    answer = world.send("GET", "/health", headers={"x-request-id": given})
    assert answer.header("X-Request-Id") == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\r\nb", "é", '"', "a\n"])
def test_another_request_id_is_replaced(world: World, given: str) -> None:
    answer = world.send("GET", "/health", headers={"x-request-id": given})
    assert answer.header("X-Request-Id") == "req_000001"


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (TRACE, True),
        (TRACE.upper(), False),
        ("ff" + TRACE[2:], False),
        (TRACE[:-3], False),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", False),
    ],
)
def test_a_valid_traceparent_is_in_the_log(world: World, given: str, kept: bool) -> None:
    world.send("GET", "/health", headers={"traceparent": given})
    assert (world.access[0].get("traceparent") == given) is kept


def test_the_access_log_is_one_line_a_request_without_what_is_private(world: World) -> None:
    order: Json = {"items": [], "note": CANARY}
    world.send("POST", "/staff", order, token="sam", query={"q": (CANARY,)})
    world.send("GET", f"/orders/{CANARY}")
    world.send("BREW", "/orders/o1")
    world.send("GET", f"/{CANARY}")
    lines = [
        (line["method"], line["route"], line["status"], line["subject"]) for line in world.access
    ]
    assert lines == [
        ("POST", "/staff", 422, "sam"),
        ("GET", "/orders/{order_id}", 200, ""),
        ("OTHER", "/orders/{order_id}", 405, ""),
        ("GET", "none", 404, ""),
    ]
    assert len(world.lines) == 4
    assert CANARY not in "".join(world.lines)
    assert set(world.access[0]) == {
        *(
            "at",
            "trace_id",
            "level",
            "event",
            "request_id",
            "method",
            "route",
            "status",
            "ms",
            "subject",
        )
    }


def test_the_access_log_counts_the_time(world: World) -> None:
    def slow(_: Context) -> object:
        world.host.clock.advance(0.25)
        return OrderView(order_id="o1")

    world.behaviour = slow
    world.send("GET", "/anything")
    assert world.access[0]["ms"] == pytest.approx(250, abs=0.1)


def test_a_log_that_fails_costs_nobody_the_answer(world: World) -> None:
    def full(line: str) -> None:
        raise OSError("no space left on device")

    gateway = Gateway(world.app, world.host.ports, Log(world.host.clock, full))
    world.behaviour = raising(ZeroDivisionError())
    assert gateway(Request("GET", "/health")).status == 200
    assert gateway(Request("GET", "/anything")).status == 500
