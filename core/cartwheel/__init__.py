"""Cartwheel: a provider-agnostic serverless framework.

Names load on first use, so that `import cartwheel` costs nothing. What a service needs is here; the
rest has its place: `cartwheel.http`, `cartwheel.workflow`, `cartwheel.ports`, `cartwheel.plugins`,
`cartwheel.testing`.
"""

from __future__ import annotations

from cartwheel._lazy import attach

# Not from `typing`, which alone costs more than all the rest; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from cartwheel.app import App, Service
    from cartwheel.context import Context, Principal
    from cartwheel.declared import Delivery
    from cartwheel.host import Host, HostOptions
    from cartwheel.plugins import load_adapter
    from cartwheel.unit import Unit, transact

__getattr__, __dir__ = attach(
    __name__,
    {
        "app": ("App", "Service"),
        "context": ("Context", "Principal"),
        "declared": ("Delivery",),
        "host": ("Host", "HostOptions"),
        "plugins": ("load_adapter",),
        "unit": ("Unit", "transact"),
    },
)

__all__ = [
    "App",
    "Context",
    "Delivery",
    "Host",
    "HostOptions",
    "Principal",
    "Service",
    "Unit",
    "load_adapter",
    "transact",
]
