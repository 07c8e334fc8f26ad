"""Use cases of notifications: written once per key, handed over, and marked as sent."""

from __future__ import annotations

from cartwheel.ports import Mail, Ports
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Money, digest, now_text, read
from cartwheel_shop.notifications.model import Notification, Template, compose

COLLECTION = "notifications"
NOTIFICATION = "notification"


def notify(
    ports: Ports,
    key: str,
    template: Template,
    to: str,
    *,
    order_id: str,
    total: Money,
    reason: str | None,
) -> Notification:
    """Send a message once per key.

    A crash between handing the mail over and noting it sends the same mail, with the same id,
    again: mailboxes drop it, and a reader of plain SMTP may see it twice.
    """
    notification_id = f"ntf_{digest(key)}"
    draft = compose(
        notification_id,
        template,
        to,
        order_id=order_id,
        total=total,
        reason=reason,
        at=now_text(ports),
    )

    def write(unit: Unit) -> Notification:
        existing = unit.get(NOTIFICATION, Notification)
        if existing is None:
            unit.put(NOTIFICATION, draft)
        return existing or draft

    def mark(unit: Unit) -> Notification:
        current = unit.get(NOTIFICATION, Notification) or draft
        if current.sent_at is not None:
            return current
        sent = current.model_copy(update={"sent_at": now_text(ports)})
        unit.put(NOTIFICATION, sent)
        return sent

    found = transact(ports, COLLECTION, notification_id, write)
    if found.sent_at is not None:
        return found
    ports.mailer.send(Mail(found.notification_id, found.to, found.subject, found.text, found.html))
    return transact(ports, COLLECTION, notification_id, mark)


def notification_of(ports: Ports, key: str) -> Notification | None:
    """Give what was sent under a key."""
    return read(ports, COLLECTION, f"ntf_{digest(key)}", NOTIFICATION, Notification)
