"""The shop as one application: all services, all workflows, and how callers authenticate."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cartwheel.app import App

    app: App


@functools.cache
def shop_app() -> App:
    """Put the shop together, once; its workflows are built and checked here."""
    from cartwheel.app import App
    from cartwheel_shop.analytics.api import service as analytics
    from cartwheel_shop.carts.api import service as carts
    from cartwheel_shop.catalog.api import service as catalog
    from cartwheel_shop.inventory.api import service as inventory
    from cartwheel_shop.notifications.api import service as notifications
    from cartwheel_shop.orders.api import service as orders
    from cartwheel_shop.payments.api import service as payments
    from cartwheel_shop.users.api import AUTHENTICATE_USES, authenticate
    from cartwheel_shop.users.api import service as users
    from cartwheel_workflows.cancel_order import cancel_order
    from cartwheel_workflows.checkout import checkout
    from cartwheel_workflows.refund_order import refund_order

    return App(
        "shop",
        title="The Cartwheel shop",
        services=[users, catalog, carts, orders, payments, inventory, notifications, analytics],
        workflows=[checkout, cancel_order, refund_order],
        authenticate=authenticate,
        authenticate_uses=AUTHENTICATE_USES,
    )


def __getattr__(name: str) -> App:
    """Make `app` when somebody asks for it, so that importing this module builds nothing."""
    if name == "app":
        return shop_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
