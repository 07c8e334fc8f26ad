"""Adapters: the pluggy hooks they implement, and the typed facade that loads them by name."""

from cartwheel.plugins._facade import (
    GROUP,
    Adapter,
    AdapterError,
    Found,
    adapter_names,
    find_adapters,
    load_adapter,
)
from cartwheel.plugins._spec import PROJECT, AdapterInfo, hookimpl, hookspec

__all__ = [
    "GROUP",
    "PROJECT",
    "Adapter",
    "AdapterError",
    "AdapterInfo",
    "Found",
    "adapter_names",
    "find_adapters",
    "hookimpl",
    "hookspec",
    "load_adapter",
]
