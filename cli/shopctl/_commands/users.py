"""`shopctl users ...`: the shop's accounts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from shopctl._commands._options import (
    AppOption,
    DataOption,
    JsonOption,
    OperatedProviderOption,
    OperatedStageOption,
    ProfileOption,
    RegionOption,
)


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
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Add a user; works while the shop is being served, too."""
    from shopctl._operating import place_of
    from shopctl._output import emit, say
    from shopctl._shop import add_user, read_password

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    password = read_password(password_stdin)
    user_id = add_user(place, email=email, password=password, name=name, role=role.value)
    if json:
        emit({"user_id": user_id, "email": email, "role": role.value})
    else:
        say(f"{email} is {role.value} now, as {user_id}")
