"""The local adapter as commands use it: serving a data folder, or looking in beside its server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import AdapterError, load_adapter

if TYPE_CHECKING:
    from cartwheel_local import LocalHost


def open_local(app: App, folder: Path) -> LocalHost:
    """Open an application to serve it; raises AdapterError when something is not installed."""
    from cartwheel_local import LocalHost

    host = load_adapter("local").open(app, HostOptions(data=folder))
    if not isinstance(host, LocalHost):
        raise AdapterError(
            f"adapter 'local' opened a {type(host).__name__}; another distribution has taken its "
            "name: shopctl adapters shows which"
        )
    return host


@contextmanager
def beside(app: App, folder: Path) -> Iterator[LocalHost]:
    """Open a folder beside whoever serves it, for looks and small changes."""
    from cartwheel_local import LocalHost

    options = HostOptions(data=folder, background=False, log=discard)
    with LocalHost(app, options, beside=True) as host:
        yield host
