"""The application that declares nothing."""

from __future__ import annotations

from functools import cache

from cartwheel.app import App, Service


@cache
def empty_app() -> App:
    """Make an application that declares nothing."""
    return App("kit_empty", services=[Service("kit")])
