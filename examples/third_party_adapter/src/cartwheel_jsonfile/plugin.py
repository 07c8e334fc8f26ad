"""The adapter's hooks; importing this module loads nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.plugins import AdapterInfo, hookimpl

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.host import Host, HostOptions


@hookimpl
def cartwheel_adapter_info() -> AdapterInfo:
    """Describe the adapter; it is not durable, since queues and runs live in memory."""
    return AdapterInfo(
        name="jsonfile",
        summary="Rows in one JSON file to look at, everything else in memory, virtual time",
        durable=False,
        virtual_time=True,
    )


@hookimpl
def cartwheel_open_host(app: App, options: HostOptions) -> Host:
    """Open the application: the memory adapter's host with the store replaced."""
    from dataclasses import replace
    from pathlib import Path

    from cartwheel.ports import Ports
    from cartwheel_jsonfile._store import JsonFileStore
    from cartwheel_memory import MemoryHost

    folder = options.data or Path(".cartwheel-jsonfile")
    store = JsonFileStore(folder / "rows.json", app.collections)

    def with_store(ports: Ports) -> Ports:
        ports = replace(ports, store=store)
        return ports if options.replace is None else options.replace(ports)

    return MemoryHost(app, replace(options, replace=with_store))
