"""The local adapter as commands use it: serving a data folder, or looking in beside its server."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import AdapterError, load_adapter

if TYPE_CHECKING:
    from cartwheel_local import LocalHost
    from cartwheel_outside import Settings


def open_local(app: App, folder: Path, settings: Settings | None = None) -> LocalHost:
    """Open an application to serve it, with the outside services that the settings name.

    Raises AdapterError when something is not installed, ConfigurationError for what can't be used.
    """
    from cartwheel_local import LocalHost

    options = HostOptions(data=folder)
    if settings is not None:
        options = _with_services(options, settings, app.name)
    host = load_adapter("local").open(app, options)
    if not isinstance(host, LocalHost):
        raise AdapterError(
            f"adapter 'local' opened a {type(host).__name__}; another distribution has taken its "
            "name: shopctl adapters shows which"
        )
    return host


def _with_services(options: HostOptions, settings: Settings, name: str) -> HostOptions:
    from cartwheel_outside import replacing, tracing

    options = replace(options, replace=replacing(settings))
    telemetry = tracing(settings, name)
    if telemetry is None:
        return options
    # The process ends with the host; what was not sent by then is sent at its exit.
    atexit.register(telemetry.close)
    return replace(options, tracer=telemetry, hook=telemetry.hook)


@contextmanager
def beside(app: App, folder: Path) -> Iterator[LocalHost]:
    """Open a folder beside whoever serves it, for looks and small changes."""
    from cartwheel_local import LocalHost

    options = HostOptions(data=folder, background=False, log=discard)
    with LocalHost(app, options, beside=True) as host:
        yield host
