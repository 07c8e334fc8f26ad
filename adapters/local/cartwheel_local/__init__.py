"""The local adapter: one machine, SQLite, durable runs and queues, a real HTTP server."""

from typing import TYPE_CHECKING

from cartwheel_local._host import LocalHost

if TYPE_CHECKING:
    from cartwheel_local._http import serve

__all__ = ["LocalHost", "serve"]


def __getattr__(name: str) -> object:
    """Load the HTTP server when it is asked for, since uvicorn is slow to import."""
    if name == "serve":
        from cartwheel_local._http import serve

        return serve
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
