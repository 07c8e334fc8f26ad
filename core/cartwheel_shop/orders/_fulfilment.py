"""Use cases after the confirmation: ship, deliver, refund in parts or whole."""

from __future__ import annotations

from dataclasses import dataclass

from cartwheel.ports import JsonObject, Ports, rfc3339
from cartwheel_shop._base import Money, digest, now_text, row_as
from cartwheel_shop.orders.model import (
    MAX_REFUNDS,
    REFUNDABLE,
    START_SECONDS,
    NothingToRefund,
    Order,
    Refund,
    Shipment,
    Status,
    illegal,
    refund_under_way,
)
from cartwheel_shop.orders.service import AWAITING, COLLECTION, Also, change, event_of, get
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import Status as PaymentStatus

REFUND_ORDER = "refund_order"


@dataclass(frozen=True, slots=True)
class Wish:
    """Is a refund as staff ask for it; no amount is all that is left."""

    amount: Money | None = None
    restock: bool = False
    reason: str | None = None


def ship(
    ports: Ports, key: str, order_id: str, carrier: str | None, tracking_number: str | None
) -> Order:
    """Note that an order has left the house, once per key; raises IllegalTransition.

    An order whose cancellation or refund has begun stays here, and so does one that is not paid.
    """
    payment = payments.payment_of(ports, order_id)
    paid = payment is None or payment.status not in {
        PaymentStatus.AUTHORIZED,
        PaymentStatus.CAPTURING,
    }

    def decide(order: Order) -> Order | None:
        if order.ship_key == key:
            return None
        if order.status is not Status.CONFIRMED or order.cancelling or order.cancel_keys:
            raise illegal(order, Status.SHIPPED)
        if order.refunding:
            raise refund_under_way(order)
        if not paid:
            raise illegal(order, Status.SHIPPED, "its payment is not captured yet")
        at = now_text(ports)
        shipment = Shipment(shipped_at=at, carrier=carrier, tracking_number=tracking_number)
        after = order.to(Status.SHIPPED, at)
        return after.model_copy(update={"shipment": shipment, "ship_key": key})

    return change(ports, order_id, decide)


def deliver(ports: Ports, order_id: str) -> Order:
    """Note that an order has arrived; again it changes nothing. Raises IllegalTransition."""

    def decide(order: Order) -> Order | None:
        if order.status is Status.DELIVERED:
            return None
        if order.refunding:
            raise refund_under_way(order)
        return order.to(Status.DELIVERED, now_text(ports))

    return change(ports, order_id, decide)


def request_refund(ports: Ports, key: str, order_id: str, wish: Wish) -> Order:
    """Set an amount aside to be refunded and start the run that pays it, once per key.

    What all refunds of an order ask for together is never more than it cost: its row decides.
    Raises IllegalTransition and NothingToRefund.
    """
    refund_id = f"rfd_{digest(key)}"
    payment = payments.payment_of(ports, order_id)
    captured = payment is not None and payment.captured > 0

    def decide(order: Order) -> Order | None:
        if order.refund_of(refund_id) is not None:
            return None
        if order.status not in REFUNDABLE or order.cancelling or order.cancel_keys:
            raise illegal(order, Status.REFUNDED)
        amount = _amount(order, wish.amount)
        if not captured or not 0 < amount <= order.refundable or len(order.refunds) >= MAX_REFUNDS:
            left = order.refundable if captured else 0
            raise NothingToRefund(
                f"{amount} of order {order_id} can't be refunded, {left} can", refundable=left
            )
        return order.with_refund(
            Refund(
                refund_id=refund_id,
                amount=amount,
                status="pending",
                at=now_text(ports),
                restock=wish.restock,
                reason=wish.reason,
            )
        )

    order = change(ports, order_id, decide)
    refund = order.refund_of(refund_id)
    if refund is not None and refund.status == "pending":
        _start(ports, order_id, refund_id)
    return get(ports, order_id)


def _amount(order: Order, wanted: Money | None) -> int:
    if wanted is None:
        return order.refundable
    if wanted.currency != order.total.currency:
        raise NothingToRefund(
            f"order {order.order_id} was paid in {order.total.currency}, not {wanted.currency}",
            refundable=order.refundable,
        )
    return wanted.amount


def _start(ports: Ports, order_id: str, refund_id: str) -> None:
    ports.workflows.start(REFUND_ORDER, refund_id, {"order_id": order_id, "refund_id": refund_id})


def start_forgotten(ports: Ports) -> int:
    """Start the refunds that a crash kept from starting; gives how many were looked at."""
    before = rfc3339(ports.clock.now() - START_SECONDS)
    count = 0
    cursor: str | None = None
    while True:
        page = ports.store.query(COLLECTION, AWAITING, "refund", cursor=cursor)
        for order in [row_as(row, Order) for row in page.rows]:
            for refund in order.refunds:
                if refund.status == "pending" and refund.at <= before:
                    _start(ports, order.order_id, refund.refund_id)
                    count += 1
        cursor = page.next
        if cursor is None:
            return count


def pending_refund(ports: Ports, order_id: str, refund_id: str) -> Refund:
    """Give a refund that was asked for; raises NothingToRefund."""
    refund = get(ports, order_id).refund_of(refund_id)
    if refund is None:
        raise NothingToRefund(f"order {order_id} has no refund {refund_id}")
    return refund


def settle_refund(ports: Ports, order_id: str, refund_id: str) -> Order:
    """Note that a refund was paid; once the whole price went back the order is refunded.

    Goods that never left the house go back on the shelf with the last of the money.
    """

    def decide(order: Order) -> Order | None:
        refund = order.refund_of(refund_id)
        if refund is None or refund.status == "done":
            return None
        after = order.with_refund(refund.model_copy(update={"status": "done"}))
        if after.refunded < order.total.amount:
            return after
        restock = order.status is Status.CONFIRMED or any(each.restock for each in after.refunds)
        ended = after.to(Status.REFUNDED, now_text(ports), "refunded")
        return ended.model_copy(update={"restock": restock})

    return change(ports, order_id, decide, _paid(refund_id))


def _paid(refund_id: str) -> Also:
    def event(order: Order) -> tuple[str, JsonObject]:
        refund = order.refund_of(refund_id)
        amount = 0 if refund is None else refund.amount
        told = event_of(order, order.status)
        return "order.refunded", {**told, "refund_id": refund_id, "amount": amount}

    return event


def fail_refund(ports: Ports, order_id: str, refund_id: str, code: str) -> Order:
    """Note that a refund was not paid: its amount can be refunded anew."""

    def decide(order: Order) -> Order | None:
        refund = order.refund_of(refund_id)
        if refund is None or refund.status != "pending":
            return None
        return order.with_refund(refund.model_copy(update={"status": "failed", "error": code}))

    return change(ports, order_id, decide)
