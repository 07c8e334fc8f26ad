"""Waits for our own decision on a checkout - prices and stock - and never for the bank's."""

from __future__ import annotations

from dataclasses import dataclass

from cartwheel.ports import HistoryEntry, Ports, RunStatus, Unavailable, snake_case
from cartwheel_shop.inventory.model import OutOfStock, ReservationClosed
from cartwheel_shop.orders.model import (
    CheckoutRefused,
    OrderClosed,
    OrderTooLarge,
    PriceChanged,
    ProductUnavailable,
    Status,
)
from cartwheel_shop.orders.service import get

DECISION_SECONDS = 10.0
"""How long a checkout's answer waits; a decision takes milliseconds unless stock is contended."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1

REFUSALS = {
    error.code: error
    for error in (
        OutOfStock,
        PriceChanged,
        ProductUnavailable,
        OrderTooLarge,
        OrderClosed,
        ReservationClosed,
    )
}


@dataclass(frozen=True, slots=True)
class Decision:
    """Is what is known of a checkout: `refused` with a code, or not refused so far."""

    refused: str | None = None
    message: str = ""


def await_decision(ports: Ports, order_id: str, run_id: str) -> Decision:
    """Wait until stock is held or refused, or the run has ended, at most DECISION_SECONDS."""
    waited, pause = 0.0, _FIRST_PAUSE
    while True:
        decision = _decision(ports, order_id, run_id)
        if decision is not None:
            return decision
        if waited >= DECISION_SECONDS:
            return Decision()
        ports.clock.sleep(pause)
        waited += pause
        pause = min(_LONGEST_PAUSE, pause * 2)


def _decision(ports: Ports, order_id: str, run_id: str) -> Decision | None:
    try:
        for entry in ports.workflows.history(run_id):
            decision = _of_entry(entry)
            if decision is not None:
                return decision
        if ports.workflows.status(run_id).status is RunStatus.RUNNING:
            return None
    except Unavailable:
        return None
    order = get(ports, order_id)
    if order.status in {Status.REJECTED, Status.CANCELLED}:
        return Decision(order.reason or order.status.value)
    return Decision()


def _of_entry(entry: HistoryEntry) -> Decision | None:
    if entry.kind != "task" or entry.step not in {"validate", "reserve"}:
        return None
    if entry.error is None:
        return Decision() if entry.step == "reserve" else None
    if entry.error.code in REFUSALS:
        return Decision(snake_case(entry.error.code), entry.error.message)
    return None


def refusal(order_id: str, decision: Decision) -> CheckoutRefused | None:
    """Make the refusal that the customer gets; None when the checkout was not refused."""
    if decision.refused is None:
        return None
    message = decision.message or f"the checkout of {order_id} failed: {decision.refused}"
    return CheckoutRefused(message, order_id=order_id, reason=decision.refused)
