"""All ports of one host, in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from cartwheel.ports._hook import Hook, hooked
from cartwheel.ports._messaging import DeadLetters, EventBus, Queue
from cartwheel.ports._outside import Mailer, PaymentGateway, Secrets, Sms
from cartwheel.ports._runs import WorkflowRuntime
from cartwheel.ports._store import Store
from cartwheel.ports._time import Clock, Ids, Randomness


@dataclass(frozen=True, slots=True)
class Ports:
    """Holds what an application may touch of the world; an adapter's host makes it."""

    store: Store
    events: EventBus
    queue: Queue
    dead_letters: DeadLetters
    workflows: WorkflowRuntime
    mailer: Mailer
    sms: Sms
    payments: PaymentGateway
    secrets: Secrets
    clock: Clock
    ids: Ids
    random: Randomness

    def with_hook(self, hook: Hook | None) -> Ports:
        """Put the hook on every port with effects (not on time, ids and randomness)."""
        if hook is None:
            return self
        wrapped = {
            item.name: hooked(item.name, getattr(self, item.name), protocol, hook)
            for item in fields(self)
            if (protocol := _EFFECTFUL.get(item.name)) is not None
        }
        return replace(self, **wrapped)


_EFFECTFUL: dict[str, type] = {
    "store": Store,
    "events": EventBus,
    "queue": Queue,
    "dead_letters": DeadLetters,
    "workflows": WorkflowRuntime,
    "mailer": Mailer,
    "sms": Sms,
    "payments": PaymentGateway,
    "secrets": Secrets,
}
