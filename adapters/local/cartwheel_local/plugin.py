"""The local adapter's hooks; importing this module loads nothing else of it."""

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
        name="local",
        summary="One machine: SQLite, durable runs and queues, a real HTTP server",
        requires=("uvicorn",),
        install="'cartwheel[local]'",
    )


@hookimpl
def cartwheel_open_host(app: App, options: HostOptions) -> Host:
    """Open the application on its data folder."""
    from cartwheel_local._host import LocalHost

    return LocalHost(app, options)
