"""The shop as an application: it fits together, builds late and says what it needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cartwheel_workflows import shop

LATE = ["argon2", "jwt"]


def test_the_shop_is_made_once_and_has_all_its_parts() -> None:
    app = shop.app
    assert app is shop.shop_app()
    assert sorted(service.name for service in app.services) == [
        "analytics",
        "carts",
        "catalog",
        "inventory",
        "notifications",
        "orders",
        "payments",
        "users",
    ]
    assert sorted(app.workflows) == ["cancel_order", "checkout", "refund_order"]
    assert {(s.name, s.seconds) for s in app.schedules.values()} == {
        ("analytics.daily_report", 3600),
        ("inventory.reap", 60),
        ("orders.sweep", 60),
        ("payments.reconcile", 60),
    }


def test_every_route_that_moves_money_or_stock_demands_a_key() -> None:
    keyed = {f"{route.method} {route.path}" for route in shop.app.routes if route.idempotent}
    assert keyed == {
        "POST /checkout",
        "POST /orders/{order_id}/cancel",
        "POST /orders/{order_id}/deliver",
        "POST /orders/{order_id}/refund",
        "POST /orders/{order_id}/ship",
        "POST /products/{product_id}/stock",
    }


def test_confirming_is_the_last_step_that_can_be_undone() -> None:
    text = shop.app.workflows["checkout"].ir.to_json()
    steps = json.loads(text)["body"]
    saga = steps[0]["body"][0]
    names = [step["name"] for step in saga["body"]]
    assert saga["kind"] == "saga"
    assert names[-2:] == ["commit", "confirm"]
    assert names[:2] == ["validate", "reserve"]


def test_a_module_attribute_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'application'"):
        _ = shop.application


def test_importing_the_shop_loads_neither_argon2_nor_jwt() -> None:
    code = (
        "import sys, cartwheel_workflows.shop as s; s.app; "
        f"print([m for m in {LATE!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_importing_the_workflows_module_builds_nothing() -> None:
    code = "import sys, cartwheel_workflows.shop; print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
