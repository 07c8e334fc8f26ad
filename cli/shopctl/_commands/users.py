"""`shopctl users ...`: the shop's accounts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shopctl._commands._options import AppOption, DataOption, JsonOption
from shopctl._commands.deploying import ProfileOption, RegionOption, StageOption


class Role(StrEnum):
    """Names what a user may do."""

    ADMIN = "admin"
    STAFF = "staff"
    CUSTOMER = "customer"


def group() -> typer.Typer:
    """Put the group together."""
    found = typer.Typer(help="Manage the shop's users.", rich_markup_mode=None)
    found.callback()(_nothing)
    found.command("add")(add)
    return found


def _nothing() -> None:
    """Manage the shop's users."""


def add(
    *,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")],
    role: Annotated[Role, typer.Option("--role", help="What the user may do.")] = Role.CUSTOMER,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The user's name.")] = "",
    data: DataOption = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="NAME", help="Add them to a deployed stage: aws."),
    ] = None,
    stage: StageOption = "dev",
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Add a user; works while the shop is being served, too."""
    from cartwheel.deployment import Access
    from shopctl._apps import find_project, load_project
    from shopctl._errors import UsageError
    from shopctl._files import data_folder
    from shopctl._output import emit, say
    from shopctl._shop import Remote, add_user, read_password

    if provider is not None and data is not None:
        raise UsageError("--data names a folder here and --provider a stage there: give one")
    password = read_password(password_stdin)
    project = find_project(app, Path.cwd())
    loaded = load_project(project)
    where = (
        data_folder(data, project.folder, loaded.name)
        if provider is None
        else Remote(provider, Access(stage, region, profile))
    )
    user_id = add_user(loaded, where, email=email, password=password, name=name, role=role.value)
    if json:
        emit({"user_id": user_id, "email": email, "role": role.value})
    else:
        say(f"{email} is {role.value} now, as {user_id}")
