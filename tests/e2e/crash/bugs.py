"""Mistakes that people make, planted: the harness must find each, and only by crashing.

They are switches of the harness: the product knows nothing of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from cartwheel.app import App
from cartwheel.context import Context
from cartwheel.host import Host
from cartwheel.ports import Charge, Delete, Mail, PortCall, Ports, Store, Write
from cartwheel.unit import Unit, transact
from cartwheel_shop.notifications import api as notifications
from cartwheel_shop.notifications import service as mail
from cartwheel_shop.notifications.model import Facts
from cartwheel_shop.payments import service as payments
from cartwheel_shop.payments.model import Payment, Status
from cartwheel_workflows.shop import shop_app

if TYPE_CHECKING:
    from tests.e2e.crash.scenario import Scenario

T = TypeVar("T")
HookLike = Callable[[PortCall, Callable[[], object]], object]
_fresh = itertools.count()


def _same(ports: Ports, hook: object) -> Ports:  # the signature of all replacements
    return ports


def _ask_again(scenario: Scenario, host: Host, attempt: int) -> None:  # same
    scenario.play(host)


@dataclass(frozen=True, slots=True)
class Bug:
    """Is a mistake: in the ports, in a task, or in the customer's own client."""

    name: str
    scenario: str = "confirmed"
    replace: Callable[[Ports, object], Ports] = _same
    tasks: dict[str, Callable[[Context, object], object]] | None = None
    come_back: Callable[[Scenario, Host, int], None] = _ask_again
    without_schedule: str | None = None

    def app(self) -> App:
        """Give the shop with the mistake in it."""
        shop = shop_app()
        handlers = self.tasks or {}
        services = [
            replace(
                service,
                tasks=[
                    replace(task, handler=handlers.get(task.name, task.handler))
                    for task in service.tasks
                ],
                schedules=[s for s in service.schedules if s.name != self.without_schedule],
            )
            for service in shop.services
        ]
        return App(
            "shop",
            services=services,
            workflows=shop.workflows.values(),
            authenticate=shop.authenticate,
            authenticate_uses=shop.authenticate_uses,
        )


NO_BUG = Bug("none")


def _authorize_without_intent(ctx: Context, cmd: object) -> object:
    """Call the bank first, under a key of the moment, and note the charge afterwards."""
    order_id = getattr(cmd, "order_id")  # noqa: B009  # whatever the task's input model is
    ports, number = ctx.ports, next(_fresh)
    payment = payments.payment_of(ports, order_id)
    assert payment is not None
    if payment.status is Status.NEW:
        charge = ports.payments.authorize(
            key=f"fresh-{number}",
            reference=f"fresh-{number}",
            amount=payment.amount.amount,
            currency=payment.amount.currency,
            token=payment.token or "",
        )
        _note(ports, order_id, f"fresh-{number}", charge)
    return payments.summary(payments.authorize(ports, ctx.key, order_id))


def _note(ports: Ports, order_id: str, reference: str, charge: Charge) -> None:
    def work(unit: Unit) -> Payment:
        payment = unit.get(payments.PAYMENT, Payment)
        assert payment is not None
        after = payment.to(Status.AUTHORIZING, payment.since, reference=reference)
        unit.put(payments.PAYMENT, after)
        return after

    transact(ports, payments.COLLECTION, order_id, work)
    payments._record(ports, order_id, charge)


def _tell_under_a_fresh_key(ctx: Context, cmd: object) -> object:
    """Tell under a key of the moment instead of one that follows from order and status."""
    assert isinstance(cmd, notifications.Notice)
    assert cmd.to is not None
    mail.notify(
        ctx.ports,
        f"{ctx.key}-{next(_fresh)}",
        "order_confirmed",
        cmd.to,
        Facts(cmd.order_id, cmd.total, cmd.reason),
    )
    return notifications.Sent(outcome="sent")


class _TornStore:
    """Writes the rows of a commit one by one."""

    def __init__(self, store: Store, hook: HookLike) -> None:
        self._store, self._hook = store, hook

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        for write in writes:
            call = PortCall("store", "commit_row", collection)
            self._hook(call, lambda one=write: self._store.commit(collection, partition, [one]))  # type: ignore[misc]  # bound now


class _NoOutbox:
    """Leaves events out of the commit; they are only published afterwards."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, collection: str, partition: str, writes: Sequence[Write]) -> None:
        kept = [write for write in writes if not write.key.startswith("outbox#")]
        if kept or not all(isinstance(write, Delete) for write in writes):
            self._store.commit(collection, partition, kept)


class _FreshMails:
    """Gives every mail a new id."""

    def __init__(self, ports: Ports) -> None:
        self._mailer = ports.mailer

    def send(self, mail: Mail) -> None:
        self._mailer.send(replace(mail, id=f"{mail.id}-{next(_fresh)}"))


def _torn(ports: Ports, hook: object) -> Ports:
    return replace(ports, store=_TornStore(ports.store, hook))  # type: ignore[arg-type]  # forwards the rest


def without_outbox(ports: Ports, hook: object) -> Ports:  # as `_same`
    """Put a store before the shop that takes no events into its commits."""
    return replace(ports, store=_NoOutbox(ports.store))  # type: ignore[arg-type]  # forwards the rest


def _fresh_mails(ports: Ports, hook: object) -> Ports:  # as `_same`
    return replace(ports, mailer=_FreshMails(ports))


def never_come_back(scenario: Scenario, host: Host, attempt: int) -> None:  # as `_ask_again`
    """Leave it to the shop to go on."""
    host.settle(300)


def _forget_the_key(scenario: Scenario, host: Host, attempt: int) -> None:
    scenario.play(host, key=f"another-checkout-{attempt}")


BUGS = (
    Bug("no intent before the charge", tasks={"payments.authorize": _authorize_without_intent}),
    Bug("tells under a fresh key", tasks={"notifications.send": _tell_under_a_fresh_key}),
    Bug("a mail's id is not stable", replace=_fresh_mails),
    Bug("commits are torn", replace=_torn),
    Bug("no outbox", replace=without_outbox),
    Bug("the client forgets its key", come_back=_forget_the_key),
    Bug(
        "nobody starts what a crash kept from starting",
        come_back=never_come_back,
        without_schedule="orders.sweep",
    ),
)
