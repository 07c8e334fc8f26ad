"""The memory adapter's hooks; importing this module loads nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.plugins import AdapterInfo, hookimpl

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.host import Host, HostOptions


@hookimpl
def cartwheel_adapter_info() -> AdapterInfo:
    """Describe the adapter."""
    return AdapterInfo(
        name="memory",
        summary="Everything in one process, with virtual time, for unit tests",
        durable=False,
        virtual_time=True,
    )


@hookimpl
def cartwheel_open_host(app: App, options: HostOptions) -> Host:
    """Open the application on a new, empty disk."""
    from cartwheel_memory._host import MemoryHost

    return MemoryHost(app, options)
