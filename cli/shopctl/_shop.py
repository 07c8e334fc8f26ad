"""What the command line does in the built-in shop: accounts and a first catalogue."""

from __future__ import annotations

import getpass
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from shopctl._errors import CliError, UsageError

if TYPE_CHECKING:
    from cartwheel.deployment import Access
    from cartwheel_local import LocalHost


@dataclass(frozen=True, slots=True)
class Remote:
    """Is a stage at a provider."""

    provider: str
    access: Access

    def open(self, app: App) -> Host:
        """Open the stage beside its functions; raises AdapterError for one that can't be."""
        from cartwheel.plugins import load_adapter

        return load_adapter(self.provider).open(app, HostOptions(log=discard, access=self.access))


def read_password(from_stdin: bool) -> str:
    """Read a password from standard input; on a terminal it is not shown."""
    if not from_stdin:
        raise UsageError(
            "a password on the command line would stay in the shell's history",
            "give it on standard input: --password-stdin",
        )
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CliError("standard input holds no password", "echo it into the command")
    return password


def add_user(
    app: App, where: Path | Remote, *, email: str, password: str, name: str, role: str
) -> str:
    """Add a user to the shop in a data folder, or at a stage, and give the user's id."""
    _require(app, "users", "users add")
    from cartwheel_shop.users import service as users

    with _open(app, where) if isinstance(where, Path) else where.open(app) as host:
        user = users.create_user(host.ports, email, password, role)
        if name:
            users.rename(host.ports, user.user_id, name)
    return user.user_id


def seed_shop(host: Host) -> int:
    """Fill the catalogue, and give how many products it was filled with."""
    _require(host.app, "catalog", "--seed")
    from cartwheel_shop.seed import seed

    return len(seed(host.ports))


def _open(app: App, folder: Path) -> LocalHost:
    """Open a folder beside its server; one that does not exist yet is made."""
    from cartwheel_local import LocalHost

    options = HostOptions(data=folder, background=False, log=discard)
    return LocalHost(app, options, beside=(folder / "cartwheel.db").is_file())


def _require(app: App, service: str, what: str) -> None:
    names = [declared.name for declared in app.services]
    if service not in names:
        raise CliError(
            f"'{what}' belongs to the shop; app '{app.name}' has no service '{service}', "
            f"it has: {', '.join(names)}"
        )
