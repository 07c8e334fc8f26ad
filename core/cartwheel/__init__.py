"""Cartwheel: a provider-agnostic serverless framework.

Names load on first use, so that `import cartwheel` costs nothing. What a service needs is here; the
rest has its place: `cartwheel.http`, `cartwheel.workflow`, `cartwheel.ports`, `cartwheel.plugins`,
`cartwheel.testing`.
"""

from __future__ import annotations

# Not from `typing`, which alone costs more than all the rest; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from cartwheel.app import App, Service
    from cartwheel.context import Context, Principal
    from cartwheel.declared import Delivery
    from cartwheel.host import Host, HostOptions
    from cartwheel.plugins import load_adapter
    from cartwheel.unit import Unit, transact

_HOMES = {
    "App": "cartwheel.app",
    "Context": "cartwheel.context",
    "Delivery": "cartwheel.declared",
    "Host": "cartwheel.host",
    "HostOptions": "cartwheel.host",
    "Principal": "cartwheel.context",
    "Service": "cartwheel.app",
    "Unit": "cartwheel.unit",
    "load_adapter": "cartwheel.plugins",
    "transact": "cartwheel.unit",
}

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


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
