"""More mistakes that people make, planted: answers noted early, keys of the moment, torn rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from cartwheel.context import Context
from cartwheel.ports import (
    Charge,
    ChargeStatus,
    Delete,
    Event,
    PaymentGateway,
    PortCall,
    Ports,
    Put,
    Store,
    Write,
)
from cartwheel.unit import OUTBOX_INDEX, Unit, transact
from cartwheel_shop._base import digest
from cartwheel_shop.inventory import api as stock_api
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import Account, Movement, Reservation, State, Stock
from cartwheel_shop.notifications import api as notifications
from cartwheel_shop.notifications import service as mail
from cartwheel_shop.notifications.model import Notification
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import Change, Status, learn
from tests.e2e.crash.bugs import Bug, HookLike

T = TypeVar("T")
_fresh = itertools.count()


class _Forwards:
    """Passes on to a port whatever it does not do itself."""

    def __init__(self, port: object) -> None:
        self._port = port

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)


class _Split:
    """Commits the rows of one kind after the others instead of with them."""

    def __init__(self, store: Store, hook: HookLike, prefix: str) -> None:
        self._store, self._hook, self._prefix = store, hook, prefix

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        later = [write for write in writes if write.key.startswith(self._prefix)]
        first = [write for write in writes if write not in later]
        for part in filter(None, (first, later)):
            call = PortCall("store", "commit_part", collection)
            self._hook(call, lambda now=part: self._store.commit(collection, partition, now))  # type: ignore[misc]  # bound now


def _splitting(prefix: str) -> Callable[[Ports, object], Ports]:
    def around(ports: Ports, hook: object) -> Ports:
        return replace(ports, store=_Split(ports.store, hook, prefix))  # type: ignore[arg-type]  # forwards the rest

    return around


class _EarlyEvents(_Forwards):
    """Publishes events before the commit that makes them true."""

    def __init__(self, ports: Ports, hook: HookLike) -> None:
        super().__init__(ports.store)
        self._ports, self._hook = ports, hook

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:

        for write in writes:
            if isinstance(write, Put) and write.key.startswith("outbox#"):
                data = write.data
                event = Event(str(data["id"]), str(data["type"]), data["data"], str(data["at"]))  # type: ignore[arg-type]  # an object, as `emit` wrote it
                call = PortCall("events", "publish", event.type)
                self._hook(call, lambda one=event: self._ports.events.publish([one]))  # type: ignore[misc]  # bound now
        kept = [write for write in writes if not write.key.startswith("outbox#")]
        if kept or not all(isinstance(write, Delete) for write in writes):
            self._ports.store.commit(collection, partition, kept)


def _early_events(ports: Ports, hook: object) -> Ports:
    return replace(ports, store=_EarlyEvents(ports, hook))  # type: ignore[arg-type]  # forwards the rest


class _Unswept(_Forwards):
    """Finds no event that a crash left in an outbox."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store

    def query(self, collection: str, index: str, value: str, **more: object) -> object:
        asked = "nothing of the kind" if index == OUTBOX_INDEX.name else value
        return self._store.query(collection, index, asked, **more)  # type: ignore[arg-type]  # passed on


def _unswept(ports: Ports, hook: object) -> Ports:  # the signature of all replacements
    return replace(ports, store=_Unswept(ports.store))  # type: ignore[arg-type]  # forwards the rest


class _FreshKeys(_Forwards):
    """Sends a key of the moment with some calls, and never asks the bank what it knows."""

    def __init__(self, bank: PaymentGateway, *calls: str) -> None:
        super().__init__(bank)
        self._calls = calls

    def __getattribute__(self, name: str) -> object:
        if name.startswith("_") or name not in self._calls:
            return super().__getattribute__(name)
        call = getattr(self._port, name)
        return lambda *, key, **more: call(key=f"{key}-{next(_fresh)}", **more)

    def find(self, reference: str) -> Charge | None:
        """Know of nothing."""
        return None


def fresh_keys(*calls: str) -> Callable[[Ports, object], Ports]:
    """Put a bank before the shop that gets keys of the moment with some calls."""

    def around(ports: Ports, hook: object) -> Ports:
        bank = _FreshKeys(ports.payments, *calls)
        return replace(ports, payments=bank)  # type: ignore[arg-type]  # forwards the rest

    return around


def _marked_before_sent(ctx: Context, cmd: object) -> object:
    """Note the mail as sent, and send it afterwards."""
    assert isinstance(cmd, notifications.Notice)
    key = f"{cmd.order_id}:order_{cmd.status}"
    partition = f"ntf_{digest(key)}"
    before = mail.notification_of(ctx.ports, key)
    if before is None:
        held: list[Callable[[], None]] = []
        quiet = replace(ctx.ports, mailer=_Held(ctx.ports, held))
        notifications.send.handler(ctx._replace(ports=quiet), cmd)

        def check(unit: Unit) -> None:
            assert unit.get(mail.NOTIFICATION, Notification) is not None

        transact(ctx.ports, mail.COLLECTION, partition, check)
        for send in held:
            send()
    return notifications.Sent(outcome="sent")


class _Held:
    """Keeps a mail back."""

    def __init__(self, ports: Ports, held: list[Callable[[], None]]) -> None:
        self._ports, self._held = ports, held

    def send(self, mail: object) -> None:
        self._held.append(lambda: self._ports.mailer.send(mail))  # type: ignore[arg-type]  # a mail


def _noted_first(wanted: Status, ctx: Context, order_id: str) -> None:
    """Note what the bank will surely say, and ask it afterwards."""
    ports = ctx.ports
    payment = payments.payment_of(ports, order_id)
    if payment is None or payment.status is not Status.AUTHORIZED:
        return
    amount, reference = payment.amount.amount, payment.reference or ""
    step = Status.CAPTURING if wanted is Status.CAPTURED else Status.VOIDING
    status = ChargeStatus.CAPTURED if wanted is Status.CAPTURED else ChargeStatus.VOIDED
    said = Charge(
        payment.charge_id or "",
        reference,
        status,
        amount,
        payment.amount.currency,
        captured=amount if wanted is Status.CAPTURED else 0,
    )
    begun = Change(payment.to(step, payment.since))
    payments._change(ports, order_id, lambda _: begun)
    payments._change(
        ports, order_id, lambda now: None if now is None else learn(now, said, now.since)
    )
    if wanted is Status.CAPTURED:
        ports.payments.capture(key=f"{reference}:capture", charge_id=said.charge_id, amount=amount)
    else:
        ports.payments.void(key=f"{reference}:void", charge_id=said.charge_id)


def _captured_before_asked(ctx: Context, cmd: object) -> object:
    order_id = getattr(cmd, "order_id")  # noqa: B009  # whatever the task's input model is
    _noted_first(Status.CAPTURED, ctx, order_id)
    return payments.summary(payments.capture(ctx.ports, order_id))


def _voided_before_asked(ctx: Context, cmd: object) -> object:
    order_id = getattr(getattr(cmd, "input"), "order_id")  # noqa: B009  # as above
    _noted_first(Status.VOIDED, ctx, order_id)
    return payments.summary(payments.give_back(ctx.ports, order_id))


def _sells_blindly(ctx: Context, cmd: object) -> object:
    """Count pieces as sold without looking whether that has been done."""
    assert isinstance(cmd, stock_api.OrderLines)
    for line in cmd.lines:

        def work(unit: Unit, quantity: int = line.quantity) -> None:
            stock = unit.get(inventory.STOCK, Stock) or Stock()
            after = stock.moved(Account.RESERVED, Account.SOLD, quantity)
            key = inventory._reservation_key(cmd.order_id)
            held = unit.get(key, Reservation)
            assert held is not None
            unit.put(key, held.ended(State.COMMITTED))
            movement = Movement(
                source=Account.RESERVED,
                target=Account.SOLD,
                quantity=quantity,
                reference=cmd.order_id,
                at=held.expires_at,
            )
            inventory._put_stock(unit, after, (movement,))

        transact(ctx.ports, inventory.COLLECTION, line.product_id, work)
    return stock_api.Done(order_id=cmd.order_id)


_CAPTURE = {"payments.capture": _captured_before_asked}
_VOID = {"payments.void": _voided_before_asked}

MORE_BUGS = (
    Bug("the ledger is written after the counters", replace=_splitting("led#")),
    Bug("the reservation is written after the stock", replace=_splitting("res#")),
    Bug("the history is written after the order", replace=_splitting("hist#")),
    Bug("the outbox is written after the order", replace=_splitting("outbox#")),
    Bug("events go out before they are true", replace=_early_events),
    Bug("nobody sweeps the outbox", replace=_unswept),
    Bug("trusts its own memory instead of the bank's", replace=fresh_keys("authorize")),
    Bug("captures under a key of the moment", replace=fresh_keys("capture")),
    Bug("gives back under a key of the moment", "cancelled", replace=fresh_keys("refund")),
    Bug("pays back under a key of the moment", "refunded", replace=fresh_keys("refund")),
    Bug("voids under a key of the moment", "expired", replace=fresh_keys("void")),
    Bug("marks a mail before it is sent", tasks={"notifications.send": _marked_before_sent}),
    Bug(
        "notes the capture before the bank did", tasks={"payments.capture": _captured_before_asked}
    ),
    Bug(
        "notes the void before the bank did",
        "expired",
        tasks={"payments.void": _voided_before_asked},
    ),
    Bug("sells without looking", tasks={"inventory.commit": _sells_blindly}),
)
