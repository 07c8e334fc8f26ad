"""The local adapter: one machine, SQLite, durable runs and queues, a real HTTP server."""

from typing import TYPE_CHECKING

from cartwheel._lazy import attach
from cartwheel_local._host import LocalHost

if TYPE_CHECKING:
    from cartwheel_local._http import serve

# uvicorn is slow to import.
__getattr__, __dir__ = attach(__name__, {"_http": ("serve",)})

__all__ = ["LocalHost", "serve"]
