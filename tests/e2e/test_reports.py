"""Sales reports, counted from the orders' events."""

from __future__ import annotations

from typing import Any

import pytest

from cartwheel_memory import MemoryHost
from tests.support.shopping import Shopper, known, product

FIRST = "?from=2026-01-01&to=2026-01-31"


def sold(shopper: Shopper, *lines: tuple[str, int], card: str = "tok_ok") -> str:
    shopper.fill_cart(*lines)
    answer: Any = shopper.check_out(card).json()
    return str(answer["order_id"])


def eur(cents: int) -> dict[str, object]:
    return {"amount": cents, "currency": "EUR"}


def test_sales_are_counted_per_day_and_product_and_cancellations_beside_them(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    product(host.ports, "prd_pen", cents=200)
    sold(ada, ("prd_mug", 2), ("prd_pen", 1))
    second = sold(ada, ("prd_pen", 3))
    sold(ada, ("prd_mug", 1), card="tok_declined")
    ada.send("POST", f"/orders/{second}/cancel", key="c1")
    host.settle()
    assert staff.get(f"/reports/sales{FIRST}")["items"] == [
        {
            "name": "2026-01-01",
            "orders": 2,
            "quantity": 6,
            "revenue": eur(3380),
            "cancelled": eur(600),
            "refunded": eur(0),
        }
    ]
    by_product = staff.get(f"/reports/sales{FIRST}&by=product")["items"]
    assert [(line["name"], line["quantity"], line["cancelled"]) for line in by_product] == [
        ("prd_mug", 2, eur(0)),
        ("prd_pen", 4, eur(600)),
    ]


def test_an_event_delivered_twice_counts_once(host: MemoryHost, ada: Shopper) -> None:
    from cartwheel_shop.analytics import service as analytics

    sold(ada, ("prd_mug", 2))
    host.settle()
    (line,) = analytics.by_day(host.ports, "2026-01-01", "2026-01-01")
    order = analytics.SoldOrder.model_validate(
        {**ada.get("/orders")["items"][0], "was": "processing"}
    )
    analytics.count_confirmed(host.ports, "2026-01-01", order)
    assert analytics.by_day(host.ports, "2026-01-01", "2026-01-01") == [line]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("?from=2026-01-01", 422),
        ("?from=yesterday&to=today", 422),
        ("?from=2026-02-30&to=2026-03-01", 400),
        ("?from=2026-01-02&to=2026-01-01", 400),
        ("?from=2026-01-01&to=2027-01-01", 400),
        (f"{FIRST}&by=colour", 422),
    ],
)
def test_a_report_that_makes_no_sense_is_refused(staff: Shopper, query: str, status: int) -> None:
    assert staff.send("GET", f"/reports/sales{query}").status == status


def test_refunds_are_counted_on_their_day_and_a_later_cancellation_leaves_them_out(
    host: MemoryHost, ada: Shopper, staff: Shopper
) -> None:
    order_id = sold(ada, ("prd_mug", 2))
    amount = {"amount": eur(580)}
    assert staff.send("POST", f"/orders/{order_id}/refund", amount, key="r").status == 202
    ada.send("POST", f"/orders/{order_id}/cancel", key="c")
    host.settle()
    (line,) = staff.get(f"/reports/sales{FIRST}")["items"]
    assert (line["revenue"], line["refunded"], line["cancelled"]) == (
        eur(2580),
        eur(580),
        eur(2000),
    )


def test_a_finished_day_is_reported_within_an_hour_and_once(host: MemoryHost, ada: Shopper) -> None:
    sold(ada, ("prd_mug", 2))
    path = "/reports/daily/2026-01-01"
    assert known(host.dispatcher, "usr_s", "staff").send("GET", path).status == 404
    host.settle(25 * 3600)
    staff = known(host.dispatcher, "usr_s", "staff")
    report = staff.get(path)
    assert report["made_at"] < "2026-01-02T01:00:01"
    assert [(line["orders"], line["revenue"]) for line in report["items"]] == [(1, eur(2580))]
    host.settle(7200)
    assert known(host.dispatcher, "usr_s", "staff").get(path) == report
