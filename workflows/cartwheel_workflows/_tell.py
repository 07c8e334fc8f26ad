"""The last step of every order workflow: tell the customer."""

from __future__ import annotations

from cartwheel.workflow import attempt, catch
from cartwheel_shop.notifications import api as notifications
from cartwheel_shop.orders.views import Outcome


def tell(outcome: Outcome, step: str) -> None:
    """Record a step that writes to the customer; a mail that can't be sent fails no order."""
    with attempt():
        notifications.send(
            step=step,
            order_id=outcome.order_id,
            status=outcome.status,
            to=outcome.email,
            total=outcome.total,
            reason=outcome.reason,
        )
    with catch("*"):
        pass  # The unsent notification is kept and shows that it was not sent.
