"""The demo's checks: right books pass them all, and each kind of wrong book is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cartwheel.ports import (
    Charge,
    ChargeStatus,
    DeadLetter,
    HistoryEntry,
    JsonObject,
    Mail,
    Run,
    RunStatus,
)
from shopctl._demo._books import Books, Stock
from shopctl._demo._checks import check_all
from shopctl._demo._client import Order
from shopctl._demo._day import LAST_PIECES, RACERS, Day
from shopctl._demo._local_stage import LocalStage, ended

AT = "2026-01-01T00:00:00.000Z"
CLAIMS = 12


def order(order_id: str, status: str, payment: str, captured: int = 0) -> Order:
    item: JsonObject = {"product_id": "p", "quantity": 2}
    body: JsonObject = {
        "order_id": order_id,
        "status": status,
        "reason": None,
        "items": [item],
        "total": {"amount": 500, "currency": "EUR"},
        "payment": {"status": payment, "captured": captured, "refunded": 0},
    }
    return Order(body)


def run(order_id: str) -> Run:
    return Run(
        f"chk-{order_id}",
        "checkout",
        "1",
        "hash",
        RunStatus.SUCCEEDED,
        {"order_id": order_id},
        AT,
        AT,
    )


def entry(step: str) -> HistoryEntry:
    return HistoryEntry("task", step, AT)


def charge(number: int, order_id: str, status: ChargeStatus, captured: int = 0) -> Charge:
    reference = f"chk-{order_id}:authorize"
    return Charge(f"ch_{number}", reference, status, 500, "EUR", captured)


BOOKS = Books(
    orders=(order("good", "confirmed", "captured", 500), order("bad", "rejected", "declined")),
    customers={},
    stock=(Stock("p", "Pen", 10, 1, 7, 0, 2),),
    charges=(
        charge(1, "good", ChargeStatus.CAPTURED, 500),
        charge(2, "bad", ChargeStatus.DECLINED),
    ),
    mails=(
        Mail("m1", "a@example.com", "confirmed", "order good"),
        Mail("m2", "b@example.com", "rejected", "order bad"),
    ),
    runs=(run("good"), run("bad")),
    histories={"chk-good": (entry("validate"), entry("authorize")), "chk-bad": ()},
    dead_letters=(),
)


def day() -> Day:
    story: list[str] = []
    found = Day(LocalStage(Path()), tell=story.append)
    found.won, found.refused = LAST_PIECES, RACERS - LAST_PIECES
    found.interrupted = {"good": ("validate ok",)}
    return found


def test_right_books_pass() -> None:
    checks = check_all(day(), BOOKS, ended(0))
    assert [check.problems for check in checks] == [()] * CLAIMS


def stock(*, available: int, reserved: int = 0, sold: int = 2) -> Books:
    level = replace(BOOKS.stock[0], available=available, reserved=reserved, sold=sold)
    return replace(BOOKS, stock=(level,))


WRONG: list[tuple[str, Books, str]] = [
    (
        "an order that never ends",
        replace(BOOKS, orders=(*BOOKS.orders, order("x", "processing", "unknown"))),
        "every order",
    ),
    (
        "a confirmed order that is not paid",
        replace(BOOKS, orders=(order("good", "confirmed", "authorized"), BOOKS.orders[1])),
        "every order",
    ),
    ("a piece that is gone", stock(available=6), "received - written off"),
    ("a piece sold twice", stock(sold=3, available=6), "what is sold"),
    ("a reservation left over", stock(reserved=1, available=6), "no reservation"),
    (
        "an order charged twice",
        replace(BOOKS, charges=(*BOOKS.charges, charge(3, "good", ChargeStatus.CAPTURED, 500))),
        "charged once",
    ),
    ("an order charged not at all", replace(BOOKS, charges=BOOKS.charges[1:]), "charged once"),
    (
        "money held for a rejected order",
        replace(BOOKS, charges=(BOOKS.charges[0], charge(2, "bad", ChargeStatus.AUTHORIZED))),
        "nobody else's money",
    ),
    (
        "a charge for no order",
        replace(BOOKS, charges=(*BOOKS.charges, charge(3, "?", ChargeStatus.CAPTURED, 500))),
        "nobody else's money",
    ),
    (
        "a shop that thinks it has less",
        replace(BOOKS, orders=(order("good", "confirmed", "captured", 400), BOOKS.orders[1])),
        "the bank's books",
    ),
    (
        "a mail sent twice",
        replace(BOOKS, mails=(*BOOKS.mails, replace(BOOKS.mails[0], id="m3"))),
        "told once",
    ),
    ("a customer who was not told", replace(BOOKS, mails=BOOKS.mails[:1]), "told once"),
    (
        "a run that failed",
        replace(BOOKS, runs=(replace(BOOKS.runs[0], status=RunStatus.FAILED), BOOKS.runs[1])),
        "every workflow",
    ),
    (
        "a dead letter",
        replace(BOOKS, dead_letters=(DeadLetter("1", "c", {}, "boom", 5, AT),)),
        "every workflow",
    ),
    (
        "a crash after which nothing was done",
        replace(BOOKS, histories={**BOOKS.histories, "chk-good": (entry("validate"),)}),
        "a kill interrupted",
    ),
]


@pytest.mark.parametrize(("_", "books", "claim"), WRONG, ids=[name for name, *_ in WRONG])
def test_wrong_books_are_caught(_: str, books: Books, claim: str) -> None:
    failed = [check.claim for check in check_all(day(), books, ended(0)) if not check.holds]
    assert any(claim in name for name in failed), failed


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (lambda d: setattr(d, "won", LAST_PIECES + 1), "last pieces"),
        (lambda d: setattr(d, "refused", 0), "last pieces"),
        (lambda d: d.interrupted.clear(), "a kill interrupted"),
    ],
)
def test_a_day_that_went_otherwise_is_caught(change: Callable[[Day], None], claim: str) -> None:
    found = day()
    change(found)
    failed = [check.claim for check in check_all(found, BOOKS, ended(0)) if not check.holds]
    assert any(claim in name for name in failed), failed


@pytest.mark.parametrize("code", [1, -9, None])
def test_a_server_that_did_not_end_cleanly_is_caught(code: int | None) -> None:
    failed = [check.claim for check in check_all(day(), BOOKS, ended(code)) if not check.holds]
    assert failed == ["the server ended cleanly when asked to"]
