"""A small application for the adapters' tests, with functions whose behaviour a test decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.declared import Delivery
from cartwheel.ports import Event, Index, Message


class Crash(BaseException):
    """Stands for the process's end: nothing that catches Exception sees it."""


@dataclass
class Scene:
    """Holds what the functions of the application saw, and what they do next."""

    seen: list[tuple[str, str, float]] = field(default_factory=list)
    act: Callable[[str], None] = lambda _: None

    def note(self, who: str, what: str, ctx: Context) -> None:
        """Write down a call, then do what the test wants."""
        self.seen.append((who, what, ctx.ports.clock.now()))
        self.act(who)

    def names(self, who: str) -> list[str]:
        """List what one function saw."""
        return [what for name, what, _ in self.seen if name == who]

    def times(self, who: str) -> list[float]:
        """List when one function was called."""
        return [at for name, _, at in self.seen if name == who]

    def app(self, *, attempts: int = 3, delay: int = 2) -> App:
        """Make the application."""
        service = Service("demo")
        service.collection("things", Index("by_colour", "colour", "rank"), Index("plain", "colour"))
        rules = Delivery(attempts=attempts, delay=delay, longest=60)

        @service.on("painted", delivery=rules)
        def first(ctx: Context, event: Event) -> None:
            self.note("first", event.id, ctx)

        @service.on("painted", delivery=rules)
        def second(ctx: Context, event: Event) -> None:
            self.note("second", event.id, ctx)

        @service.consume("jobs", delivery=rules)
        def worker(ctx: Context, message: Message) -> None:
            self.note("worker", message.id, ctx)

        @service.every(60)
        def minutely(ctx: Context) -> None:
            self.note("minutely", ctx.key, ctx)

        return App("demo", services=[service])


def painted(number: int) -> Event:
    """Make an event."""
    return Event(f"evt_{number}", "painted", {"number": number}, "2026-01-01T00:00:00.000Z")
