"""The shop's own workflows on every engine, with the shop's real tasks behind it: each way in which
a checkout can go leaves the same order, payment, stock and mail as in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from cartwheel.dispatch import TaskReply
from tests.engines._driver import Engine
from tests.engines._reference import Reference
from tests.engines._registry import ENGINES
from tests.engines._shop import BUG, LOST, Fault, Left, shop_on
from tests.engines._world import RunTask
from tests.support.shopping import Shopper

CARDS = (
    "tok_ok",
    "tok_declined",
    "tok_insufficient_funds",
    "tok_requires_action",
    "tok_error_once",
    "tok_timeout_charged",
    "tok_timeout_not_charged",
)
STEPS = (
    "orders.validate",
    "inventory.reserve",
    "payments.authorize",
    "inventory.commit",
    "orders.confirm",
    "payments.capture",
    "notifications.send",
)


def unavailable(task: str) -> Fault:
    """Let a task be out of reach, at every try."""
    return _at(task, lambda real: LOST, tries=100)


def unavailable_once(task: str) -> Fault:
    """Let a task be out of reach, at its first try."""
    return _at(task, lambda real: LOST, tries=1)


def lost(task: str) -> Fault:
    """Let a task be done and its reply be lost, at every try."""

    def reply(real: Callable[[], TaskReply]) -> TaskReply:
        real()
        return LOST

    return _at(task, reply, tries=100)


def lost_once(task: str) -> Fault:
    """Let a task be done and its first reply be lost."""

    def reply(real: Callable[[], TaskReply]) -> TaskReply:
        real()
        return LOST

    return _at(task, reply, tries=1)


def broken(task: str) -> Fault:
    """Let a task have a bug."""
    return _at(task, lambda real: BUG, tries=100)


FAULTS = (unavailable, unavailable_once, lost, lost_once, broken)


def _at(task: str, reply: Callable[[Callable[[], TaskReply]], TaskReply], *, tries: int) -> Fault:
    left = [tries]

    def fault(real: RunTask, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        def do() -> TaskReply:
            return real(name, key, run_id, input)

        if name == task and left[0]:
            left[0] -= 1
            return reply(do)
        return do()

    return fault


UNDOING = ("payments.void", "inventory.release", "orders.abandon", "orders.reject")
"""What runs once `orders.confirm` has failed."""


def both(one: Fault, two: Fault) -> Fault:
    """Put one fault around the other."""

    def fault(real: RunTask, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        def inner(name: str, key: str, run_id: str, input: bytes) -> TaskReply:
            return two(real, name, key, run_id, input)

        return one(inner, name, key, run_id, input)

    return fault


@functools.cache
def expected_undoing(kind: Callable[[str], Fault], task: str) -> Left:
    """Let a checkout fail at its end and its undoing meet a fault, on the reference interpreter."""
    return shop_on(Reference(), fault=both(broken("orders.confirm"), kind(task)))


@functools.cache
def expected_with(card: str, quantity: int) -> Left:
    """Play a checkout on the memory adapter's own runtime."""
    return shop_on(None, card=card, quantity=quantity)


@functools.cache
def expected_under(kind: Callable[[str], Fault], task: str) -> Left:
    """Play a checkout under a fault on the reference interpreter."""
    return shop_on(Reference(), fault=kind(task))


def cancel(staff: Shopper, order_id: str) -> None:
    """Cancel the order."""
    response = staff.send("POST", f"/orders/{order_id}/cancel", key="cancel-1")
    assert response.status in {200, 202}, response.body


@pytest.mark.parametrize("card", CARDS)
def test_the_reference_leaves_what_the_memory_runtime_leaves(card: str) -> None:
    assert shop_on(Reference(), card=card) == expected_with(card, 2)


@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
@pytest.mark.parametrize("card", CARDS)
def test_each_card_leaves_the_same(any_engine: Engine, card: str) -> None:
    assert shop_on(any_engine, card=card) == expected_with(card, 2)


@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
def test_an_empty_shelf_leaves_the_same(any_engine: Engine) -> None:
    left = shop_on(any_engine, quantity=11)
    assert left == expected_with("tok_ok", 11)
    assert left.order[:2] == ("rejected", "out_of_stock")


@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
def test_cancelling_leaves_the_same(any_engine: Engine) -> None:
    left = shop_on(any_engine, then=cancel)
    assert left == shop_on(None, then=cancel)
    assert left.order[0] == "cancelled"
    assert left.stock == (10, 0, 0)


@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
@pytest.mark.parametrize("task", STEPS)
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_each_step_that_fails_leaves_the_same(
    any_engine: Engine, kind: Callable[[str], Fault], task: str
) -> None:
    left = shop_on(any_engine, fault=kind(task))
    assert left == expected_under(kind, task), f"{left}\n{expected_under(kind, task)}"


@pytest.mark.parametrize("any_engine", ENGINES, indirect=True)
@pytest.mark.parametrize("task", UNDOING)
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_undoing_that_fails_leaves_the_same(
    any_engine: Engine, kind: Callable[[str], Fault], task: str
) -> None:
    left = shop_on(any_engine, fault=both(broken("orders.confirm"), kind(task)))
    assert left == expected_undoing(kind, task), f"{left}\n{expected_undoing(kind, task)}"
