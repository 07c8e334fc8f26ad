"""The application whose schedules are tested; each notes its ticks."""

from __future__ import annotations

from functools import cache

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.ports import Event, Ports
from cartwheel.testing._base import note, notes, with_notes

LEFT = "kit_left"
EVENT = "kit.left_behind"
STEADY, BROKEN = "kit.steady", "kit.broken"
SECONDS = 2


def steady(ctx: Context) -> None:
    """Note a tick."""
    note(ctx.ports, STEADY, {"now": ctx.ports.clock.now()})


def broken(ctx: Context) -> None:
    """Note a tick and fail."""
    note(ctx.ports, BROKEN, {"now": ctx.ports.clock.now()})
    raise RuntimeError("this schedule always fails")


def found(ctx: Context, event: Event) -> None:
    """Note an event."""
    note(ctx.ports, event.id, {"data": event.data})


@cache
def scheduled_app(shortest: int = 1) -> App:
    """Make the application; no schedule of it is shorter than so many seconds."""
    service = with_notes(Service("kit"))
    service.collection(LEFT)
    service.every(shortest)(broken)
    service.every(steady_seconds(shortest))(steady)
    service.on(EVENT)(found)
    return App("kit_scheduled", services=[service])


def steady_seconds(shortest: int) -> int:
    """Give the interval of the schedule `steady`."""
    return max(SECONDS, shortest)


def ticks(ports: Ports, schedule: str) -> list[float]:
    """Give when a schedule ran."""
    return [float(str(one["now"])) for one in notes(ports, schedule)]
