"""The application whose store is tested."""

from __future__ import annotations

from functools import cache

from cartwheel.app import App, Service
from cartwheel.ports import Index

THINGS = "kit_things"
OTHERS = "kit_others"


@cache
def store_app() -> App:
    """Make the application whose store is tested."""
    service = Service("kit")
    service.collection(THINGS, Index("by_owner", "owner", sort="rank"), Index("by_color", "color"))
    service.collection(OTHERS, Index("by_owner", "owner"))
    return App("kit_store", services=[service])
