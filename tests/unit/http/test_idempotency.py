"""A request with a key has one effect and one answer, whatever fails in between."""

from __future__ import annotations

import threading

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, IDEMPOTENCY, Forbidden, Response, TooManyRequests
from cartwheel.http._idempotency import (
    KEPT_SECONDS,
    LEASE_SECONDS,
    ROW,
    TRIES,
    Grant,
    IdempotencyGuard,
    Record,
    State,
    partition_of,
)
from cartwheel.ports import Conflict, Json, Unavailable
from tests.unit.http.world import (
    LONGEST_PATIENCE,
    Faults,
    OrderView,
    OutOfStock,
    World,
    body_of,
    code_of,
    raising,
)

COMMIT = "store.commit(idempotency)"
GET = "store.get(idempotency)"
OTHER: Json = {"items": [], "note": "other"}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def world(faults: Faults) -> World:
    return World(hook=faults)


def test_a_replay_gives_the_same_answer_and_runs_nothing(world: World) -> None:
    world.behaviour = lambda _: Response(202, {"Location": "/orders/ü".encode().hex()}, b"\xff\x00")
    first = world.pay()
    second = world.pay()
    assert len(world.calls) == 1
    assert (second.status, second.body) == (first.status, first.body)
    assert second.header("Location") == first.header("Location")
    assert (first.header("Idempotency-Replayed"), second.header("Idempotency-Replayed")) == (
        None,
        "true",
    )


def test_a_replay_has_a_request_id_of_its_own(world: World) -> None:
    assert world.pay().header("X-Request-Id") != world.pay().header("X-Request-Id")


@pytest.mark.parametrize(
    "body",
    [
        b'{"items":[],"note":"n"}',
        b'{ "note" : "n", "items" : [ ] }',
        b'{"items":[],"note":"\\u006e"}',
    ],
)
def test_the_same_payload_may_be_written_differently(world: World, body: bytes) -> None:
    world.pay(body={"items": [], "note": "n"})
    assert world.pay(body=body).header("Idempotency-Replayed") == "true"


def test_a_key_with_another_payload_is_422(world: World) -> None:
    world.pay()
    answer = world.pay(body=OTHER)
    assert (answer.status, code_of(answer)) == (422, "idempotency_key_reused")
    assert len(world.calls) == 1


def test_a_key_belongs_to_its_caller(world: World) -> None:
    world.pay(who="ann")
    assert world.pay(who="eve", body=OTHER).status == 202
    assert len(set(world.calls)) == 2


def test_the_handlers_key_is_the_same_for_the_same_request_and_hides_the_header(
    world: World,
) -> None:
    world.behaviour = raising(Unavailable("no answer"))
    world.pay("secret-key")
    world.pay("secret-key")
    world.pay("other")
    first, second, other = world.calls
    assert first == second != other
    route, _, digest = first.partition(":")
    assert (route, len(digest)) == ("orders.pay", 32)
    assert "secret-key" not in first


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ((), "idempotency_key_missing"),
        ("", "idempotency_key_malformed"),
        (" ", "idempotency_key_malformed"),
        ("a b", "idempotency_key_malformed"),
        ("é", "idempotency_key_malformed"),
        ("a\n", "idempotency_key_malformed"),
        ("x" * 256, "idempotency_key_malformed"),
        (("a", "a"), "idempotency_key_malformed"),
    ],
)
def test_a_key_that_is_missing_or_malformed_is_400(
    world: World, header: str | tuple[str, ...], code: str
) -> None:
    answer = world.send(
        "POST", "/payments", {"items": []}, token="ann", headers={"idempotency-key": header}
    )
    assert (answer.status, code_of(answer)) == (400, code)
    assert world.calls == []


@pytest.mark.parametrize("key", ["x", "!~", "x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_every_visible_key_is_taken(world: World, key: str) -> None:
    assert world.pay(key).status == 202


def test_an_invalid_request_does_not_use_the_key_up(world: World) -> None:
    assert world.pay(body={"itemz": []}).status == 422
    assert world.pay().status == 202


def test_a_definite_refusal_is_replayed(world: World) -> None:
    world.behaviour = raising(OutOfStock("none left", available=0))
    first = world.pay()
    world.behaviour = lambda _: OrderView(order_id="o2")
    second = world.pay()
    assert (first.status, second.status) == (409, 409)
    assert second.body == first.body
    assert len(world.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("no answer"),
        ZeroDivisionError("a bug"),
        Conflict("orders", "o1", ("order",)),
        Forbidden("not now"),
        TooManyRequests("slow down", retry_after=1),
    ],
)
def test_an_answer_that_decides_nothing_lets_the_key_run_again_at_once(
    world: World, error: Exception
) -> None:
    world.behaviour = raising(error)
    assert world.pay().status >= 400
    assert world.pay(body=OTHER).status == 422
    world.behaviour = lambda _: OrderView(order_id="o1")
    assert world.pay().status == 202
    assert world.pay().header("Idempotency-Replayed") == "true"
    assert len(world.calls) == 2


def test_a_request_in_flight_is_409(world: World) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: Context) -> object:
        entered.set()
        assert leave.wait(LONGEST_PATIENCE)
        return OrderView(order_id="o1")

    world.behaviour = slow
    answers: list[Response] = []
    thread = threading.Thread(target=lambda: answers.append(world.pay()))
    thread.start()
    assert entered.wait(LONGEST_PATIENCE)
    answer = world.pay()
    leave.set()
    thread.join(LONGEST_PATIENCE)
    assert (answer.status, code_of(answer)) == (409, "request_in_progress")
    assert answer.header("Retry-After") == "1"
    assert answers[0].status == 202
    assert world.pay().header("Idempotency-Replayed") == "true"


def test_a_request_whose_worker_died_is_taken_over_when_its_lease_ends(world: World) -> None:
    world.behaviour = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.pay()
    world.behaviour = lambda _: OrderView(order_id="o1")
    assert world.pay().status == 409
    world.host.clock.advance(LEASE_SECONDS)
    assert world.pay().status == 202
    assert len(set(world.calls)) == 1


@pytest.mark.parametrize("behind", [OrderView(order_id="mine"), ZeroDivisionError()])
def test_a_worker_that_was_overtaken_changes_nothing_and_gives_the_other_answer(
    world: World, behind: OrderView | Exception
) -> None:
    def late(_: Context) -> object:
        world.host.clock.advance(LEASE_SECONDS)
        world.behaviour = lambda _: OrderView(order_id="theirs")
        assert body_of(world.pay())["order_id"] == "theirs"
        if isinstance(behind, Exception):
            raise behind
        return behind

    world.behaviour = late
    overtaken = world.pay()
    if not isinstance(behind, Exception):
        assert body_of(overtaken)["order_id"] == "theirs"
    assert body_of(world.pay())["order_id"] == "theirs"
    assert _record(world).fence == 2


def test_a_worker_overtaken_by_one_that_still_works_is_told_to_ask_again(world: World) -> None:
    def late(_: Context) -> object:
        world.host.clock.advance(LEASE_SECONDS)
        world.behaviour = raising(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            world.pay()
        return OrderView(order_id="mine")

    world.behaviour = late
    answer = world.pay()
    assert (answer.status, code_of(answer)) == (409, "request_in_progress")


def test_a_worker_that_is_late_and_alone_still_records_its_answer(world: World) -> None:
    def late(_: Context) -> object:
        world.host.clock.advance(LEASE_SECONDS * 2)
        return OrderView(order_id="mine")

    world.behaviour = late
    world.pay()
    assert body_of(world.pay())["order_id"] == "mine"
    assert len(world.calls) == 1


def test_after_a_day_the_key_counts_as_new(world: World) -> None:
    world.pay()
    world.host.clock.advance(KEPT_SECONDS - 1)
    assert world.pay().header("Idempotency-Replayed") == "true"
    world.host.clock.advance(1)
    assert world.pay(body=OTHER).status == 202
    assert len(world.calls) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("times", [1, TRIES - 1])
def test_a_store_that_fails_now_and_then_costs_nothing(
    world: World, faults: Faults, when: str, number: int, times: int
) -> None:
    faults.wanted = [(COMMIT, "not")] * number + [(COMMIT, when)] * times
    first = world.pay()
    assert first.status == 202
    assert faults.wanted == [] or when == "after"
    faults.wanted = []
    assert world.pay().header("Idempotency-Replayed") == "true"
    assert len(world.calls) == 1


def test_a_store_that_does_not_answer_is_503_and_nothing_was_done(
    world: World, faults: Faults
) -> None:
    faults.wanted = [(GET, "before")] * TRIES
    answer = world.pay()
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    assert (world.calls, faults.wanted) == ([], [])
    assert world.pay().status == 202


def test_an_answer_that_cannot_be_recorded_is_given_and_the_key_runs_again_later(
    world: World, faults: Faults
) -> None:
    faults.wanted = [(COMMIT, "not")] + [(COMMIT, "before")] * (TRIES + 1)
    assert world.pay().status == 202
    assert faults.wanted == []
    world.host.clock.advance(LEASE_SECONDS)
    assert world.pay().status == 202
    first, second = world.calls
    assert first == second


def test_a_doubt_that_cannot_be_recorded_ends_with_the_lease(world: World, faults: Faults) -> None:
    world.behaviour = raising(Unavailable("no answer"))
    faults.wanted = [(COMMIT, "not"), (COMMIT, "before")]
    assert world.pay().status == 503
    assert world.pay().status == 409
    world.host.clock.advance(LEASE_SECONDS)
    world.behaviour = lambda _: OrderView(order_id="o1")
    assert world.pay().status == 202


@pytest.mark.parametrize("lost", [0, 1])
def test_an_answer_too_large_for_a_row_is_given_and_runs_again(
    world: World, faults: Faults, lost: int
) -> None:
    world.behaviour = lambda _: Response(200, {}, b"x" * 256 * 1024)
    faults.wanted = [(COMMIT, "not")] + [(COMMIT, "before")] * lost
    assert world.pay().status == 200
    assert world.pay().status == 200
    assert len(world.calls) == 2
    assert _record(world).state is State.IN_DOUBT


def test_many_at_once_run_once(world: World) -> None:
    start = threading.Barrier(8)
    answers: list[Response] = []

    def send() -> None:
        start.wait(LONGEST_PATIENCE)
        answers.append(world.pay())

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST_PATIENCE)
    assert len(world.calls) == 1
    assert {answer.status for answer in answers} <= {202, 409}
    assert len(answers) == 8


def test_two_racing_for_a_dead_request_are_one_and_a_409(world: World) -> None:
    guard = IdempotencyGuard(world.host.ports)
    first = guard.begin("r", "ann", "k", "h")
    assert isinstance(first, Grant)
    world.host.clock.advance(LEASE_SECONDS)
    second = guard.begin("r", "ann", "k", "h")
    assert isinstance(second, Grant)
    assert (first.record.fence, second.record.fence) == (1, 2)
    assert second.version > first.version


def test_neither_key_nor_caller_nor_payload_is_kept_in_the_clear(world: World) -> None:
    body: Json = {"items": [], "note": "canary-note"}
    world.pay("canary-key", body=body, who="canary-subject")
    kept = _record(world, "canary-key", "canary-subject")
    assert "canary" not in kept.model_dump_json()


def test_an_app_has_the_collection_only_with_a_route_that_needs_it(world: World) -> None:
    assert world.app.collections["idempotency"] is IDEMPOTENCY
    service = Service("plain")

    @service.route("GET", "/plain", permission=ANYONE)
    def plain(ctx: Context) -> None:
        """Do nothing."""

    assert App("plain", services=(service,)).collections == {}


def _record(world: World, key: str = "k1", who: str = "ann") -> Record:
    partition = partition_of("orders.pay", who, key)
    row = world.host.ports.store.get(IDEMPOTENCY.name, partition, ROW)
    assert row is not None
    return Record.model_validate(row.data)
