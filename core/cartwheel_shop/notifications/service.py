"""Use cases of notifications: written once per key, handed over, and marked as sent."""

from __future__ import annotations

from html import escape

from cartwheel.ports import Mail, Ports, TextMessage, Unavailable, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import digest, now_text, read
from cartwheel_shop.notifications.model import (
    HIDDEN,
    Channel,
    Facts,
    Notification,
    Template,
    compose,
)

COLLECTION = "notifications"
NOTIFICATION = "notification"
TAKEN_SECONDS = 60
"""How long who began to hand a message over has it to themselves."""


def notify(
    ports: Ports,
    key: str,
    template: Template,
    to: str,
    facts: Facts | None = None,
    *,
    by: str = "",
    channel: Channel = "email",
    token: str | None = None,
) -> Notification:
    """Send a message once per key and keep it; `token` is a secret that is sent and not kept.

    `by` names whose work this is, the same when it is tried again: of two who come with the same
    key at once, a workflow and a consumer of its event, one sends, and the other is told
    Unavailable and finds it sent later. A crash between handing the message over and noting it
    sends the same one, with the same id, again: mailboxes drop it, and a reader of plain SMTP may
    see it twice.
    """
    notification_id = f"ntf_{digest(key)}"
    draft = compose(
        notification_id, template, to, facts or Facts(), at=now_text(ports), channel=channel
    )

    def take(unit: Unit) -> Notification:
        existing = unit.get(NOTIFICATION, Notification)
        if existing is not None and existing.sent_at is not None:
            return existing
        current = existing or draft
        until = current.taken_until
        if until is not None and current.taken_by != by and now_text(ports) < until:
            raise Unavailable(f"message {notification_id} is being sent by {current.taken_by}")
        later = rfc3339(ports.clock.now() + TAKEN_SECONDS)
        taken = current.model_copy(update={"taken_by": by, "taken_until": later})
        unit.put(NOTIFICATION, taken)
        return taken

    def mark(unit: Unit) -> Notification:
        current = unit.get(NOTIFICATION, Notification) or draft
        if current.sent_at is not None:
            return current
        sent = current.model_copy(update={"sent_at": now_text(ports)})
        unit.put(NOTIFICATION, sent)
        return sent

    found = transact(ports, COLLECTION, notification_id, take)
    if found.sent_at is not None:
        return found
    _hand_over(ports, found, token)
    return transact(ports, COLLECTION, notification_id, mark)


def _hand_over(ports: Ports, found: Notification, token: str | None) -> None:
    text, html = found.text, found.html
    if token is not None:
        text, html = text.replace(HIDDEN, token), html.replace(escape(HIDDEN), escape(token))
    if found.channel == "sms":
        ports.sms.send(TextMessage(found.notification_id, found.to, text))
    else:
        ports.mailer.send(Mail(found.notification_id, found.to, found.subject, text, html))


def notification_of(ports: Ports, key: str) -> Notification | None:
    """Give what was sent under a key."""
    return read(ports, COLLECTION, f"ntf_{digest(key)}", NOTIFICATION, Notification)
