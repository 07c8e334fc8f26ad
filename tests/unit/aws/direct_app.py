"""An application with a consumer that is invoked directly, and one with a queue."""

from __future__ import annotations

from cartwheel.access import Uses
from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.ports import Event, Message

TAKEN: list[tuple[str, str]] = []
"""The ids of messages that were taken, with their keys."""

kit = Service("kit", Uses(sends=("slow",)))
asking = Service("asking", Uses(sends=("jobs", "slow")))


@kit.consume("jobs", delivery=Delivery(attempts=2), direct=True)
def take(ctx: Context, message: Message) -> None:
    """Take a message, or fail as it says."""
    TAKEN.append((message.id, ctx.key))
    if "fail" in message.body:
        raise LookupError(str(message.body["fail"]))


@kit.consume("slow")
def slow(ctx: Context, message: Message) -> None:
    """Take a message from a queue."""


@asking.on("kit.happened")
def happened(ctx: Context, event: Event) -> None:
    """Take an event."""


app = App("kit", services=[kit, asking])
