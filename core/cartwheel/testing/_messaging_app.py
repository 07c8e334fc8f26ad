"""The application whose topics, queues and dead letters are tested; it notes what it gets."""

from __future__ import annotations

from functools import cache

from cartwheel.access import Uses
from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.ports import Event, JsonObject, Message, Ports, Put, rfc3339
from cartwheel.testing._base import note, notes, with_notes

HAPPENED = "kit.happened"
OTHER = "kit.other"
CHAINED = "kit.chained"
WORK = "kit_work"
RELAY = "kit_relay"
DELIVERY = Delivery(attempts=3, delay=0, longest=0)
DIRECT = "kit_direct"
SLOWLY = "kit_slowly"
PATIENT = Delivery(attempts=3, delay=1, longest=1)
OPEN = "kit_open"
"""The collection whose rows let a delivery through that fails until then."""


class Refused(Exception):
    """Is what the kit's consumers raise when they are told to fail."""


def about(consumer: str, item_id: str) -> str:
    """Name the notes of a consumer on an item."""
    return f"{consumer}/{item_id}"


def seen(ports: Ports, consumer: str, item_id: str) -> list[JsonObject]:
    """Give what a consumer noted on an item: one note for each delivery."""
    return notes(ports, about(consumer, item_id))


def let_through(ports: Ports, item_id: str) -> None:
    """Let the deliveries of an item succeed from now on."""
    ports.store.commit(OPEN, item_id, [Put("open", {}, 0)])


def _take(ctx: Context, consumer: str, item_id: str, found: JsonObject, body: JsonObject) -> None:
    """Note a delivery, then fail as its data says: `fail` names tries by consumer, -1 is always."""
    found = {**found, "key": ctx.key, "now": ctx.ports.clock.now()}
    tries = note(ctx.ports, about(consumer, item_id), found)
    fail = body.get("fail")
    times = fail.get(consumer, 0) if isinstance(fail, dict) else 0
    if not isinstance(times, int) or times == 0 or 0 < times < tries:
        return
    if ctx.ports.store.get(OPEN, item_id, "open") is None:
        raise Refused(f"{consumer} refuses delivery {tries} of {item_id}")


def _took_event(ctx: Context, consumer: str, event: Event) -> None:
    found: JsonObject = {"type": event.type, "data": event.data, "at": event.at}
    _take(ctx, consumer, event.id, found, event.data)


def first(ctx: Context, event: Event) -> None:
    """Take what happened."""
    _took_event(ctx, "kit.first", event)


def second(ctx: Context, event: Event) -> None:
    """Take what happened, as another subscriber."""
    _took_event(ctx, "kit.second", event)


def other(ctx: Context, event: Event) -> None:
    """Take what happened elsewhere."""
    _took_event(ctx, "kit.other", event)


def chained(ctx: Context, event: Event) -> None:
    """Take what another subscriber published."""
    _took_event(ctx, "kit.chained", event)


def chain(ctx: Context, event: Event) -> None:
    """Publish an event in answer to one."""
    following = event.data.get("chain")
    if isinstance(following, str):
        at = rfc3339(ctx.ports.clock.now())
        ctx.ports.events.publish([Event(following, CHAINED, {"from": event.id}, at)])


def worker(ctx: Context, message: Message) -> None:
    """Take a message, and send another one or call a function when it says so."""
    _take(ctx, "kit.worker", message.id, {"body": message.body}, message.body)
    relay = message.body.get("relay")
    if isinstance(relay, str):
        ctx.ports.queue.send(RELAY, Message(relay, {"from": message.id}))
    call = message.body.get("call")
    if isinstance(call, str):
        ctx.ports.queue.send(DIRECT, Message(call, {"from": message.id}))


def relay(ctx: Context, message: Message) -> None:
    """Take what another consumer sent."""
    _take(ctx, "kit.relay", message.id, {"body": message.body}, message.body)


def direct(ctx: Context, message: Message) -> None:
    """Take a message that no queue has held, where the platform can do without."""
    _take(ctx, "kit.direct", message.id, {"body": message.body}, message.body)


def patient(ctx: Context, message: Message) -> None:
    """Take a message whose tries are some time apart."""
    _take(ctx, "kit.patient", message.id, {"body": message.body}, message.body)


@cache
def messaging_app() -> App:
    """Make the application."""
    service = with_notes(Service("kit", Uses(sends=(DIRECT, RELAY), ports=("events",))))
    service.collection(OPEN)
    for event, handler in (
        (HAPPENED, first),
        (HAPPENED, second),
        (HAPPENED, chain),
        (OTHER, other),
        (CHAINED, chained),
    ):
        service.on(event, delivery=DELIVERY)(handler)
    for queue, consumer in ((WORK, worker), (RELAY, relay)):
        service.consume(queue, delivery=DELIVERY)(consumer)
    service.consume(SLOWLY, delivery=PATIENT)(patient)
    service.consume(DIRECT, delivery=DELIVERY, direct=True)(direct)
    return App("kit_messaging", services=[service])
