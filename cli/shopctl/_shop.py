"""What the command line does in the built-in shop: accounts and a first catalogue."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from shopctl._apps import find_project, load_project
from shopctl._deploy import Target
from shopctl._errors import CliError, UsageError
from shopctl._files import data_folder
from shopctl._operating import Place, open_stage


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


def add_user(place: Place, *, email: str, password: str, name: str, role: str) -> str:
    """Add a user to the shop of a place and give the user's id."""
    from cartwheel_shop.users import service as users

    with _open(place, "users", "users add") as host:
        user = users.create_user(host.ports, email, password, role)
        if name:
            users.rename(host.ports, user.user_id, name)
    return user.user_id


def seed_shop(host: Host) -> int:
    """Fill the catalogue, and give how many products it was filled with."""
    _require(host.app, "catalog", "--seed")
    from cartwheel_shop.seed import seed

    return len(seed(host.ports))


@contextmanager
def _open(place: Place, service: str, what: str) -> Iterator[Host]:
    """Open a place beside whoever serves it; a data folder that does not exist yet is made."""
    if isinstance(place, Target):
        _require(place.app, service, what)
        with open_stage(place) as host:
            yield host
        return
    from cartwheel_local import LocalHost

    project = find_project(place.app_name, Path.cwd())
    app = load_project(project)
    _require(app, service, what)
    folder = data_folder(place.path, project.folder, app.name)
    options = HostOptions(data=folder, background=False, log=discard)
    with LocalHost(app, options, beside=(folder / "cartwheel.db").is_file()) as local:
        yield local


def _require(app: App, service: str, what: str) -> None:
    names = [declared.name for declared in app.services]
    if service not in names:
        raise CliError(
            f"'{what}' belongs to the shop; app '{app.name}' has no service '{service}', "
            f"it has: {', '.join(names)}"
        )
