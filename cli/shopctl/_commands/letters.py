"""`shopctl dead-letters ...`: deliveries that failed for good."""

from __future__ import annotations

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

LetterArgument = Annotated[str, typer.Argument(metavar="LETTER", help="The dead letter's id.")]


def group() -> typer.Typer:
    """Put the group together."""
    found = typer.Typer(
        help="List, show, redrive and discard deliveries that failed for good.",
        rich_markup_mode=None,
    )
    found.command("list")(list_)
    found.command("show")(show)
    found.command("redrive")(redrive)
    found.command("discard")(discard)
    return found


def list_(
    *,
    consumer: Annotated[
        str | None, typer.Option("--consumer", metavar="NAME", help="Only this consumer's.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")
    ] = 50,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """List deliveries that failed for good, oldest first."""
    from shopctl._letters import letter_json, open_letters
    from shopctl._operating import place_of
    from shopctl._output import emit, say, table

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_letters(place) as letters:
        found, more = letters.list(consumer=consumer, limit=limit)
    if json:
        emit({"dead_letters": [letter_json(letter) for letter in found], "more": more})
        return
    table(
        ("letter", "consumer", "tries", "at", "error"),
        [(each.id, each.consumer, str(each.attempts), each.at, each.error) for each in found],
        empty="no dead letters",
    )
    if more:
        say(f"there are more than {limit}; raise --limit")


def show(
    *,
    letter: LetterArgument,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Show a dead letter with what it carries and why it failed."""
    from shopctl._letters import letter_json, open_letters
    from shopctl._operating import place_of
    from shopctl._output import as_json, emit, say

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_letters(place) as letters:
        found = letters.get(letter)
    if json:
        emit(letter_json(found))
        return
    say(f"{found.id}: {found.consumer}, given up after {found.attempts} tries at {found.at}")
    say(f"  error  {found.error}")
    say(as_json(found.body))


def redrive(
    *,
    letter: LetterArgument,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Deliver a dead letter once more, from the first try."""
    from shopctl._letters import open_letters
    from shopctl._operating import place_of
    from shopctl._output import emit, say

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_letters(place) as letters:
        letters.redrive(letter)
    if json:
        emit({"id": letter, "redriven": True})
    else:
        say(f"{letter} is delivered again; {letters.taken_up}")


def discard(
    *,
    letter: LetterArgument,
    data: DataOption = None,
    provider: OperatedProviderOption = None,
    stage: OperatedStageOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Forget a dead letter for good."""
    from shopctl._letters import open_letters
    from shopctl._operating import place_of
    from shopctl._output import emit, say

    place = place_of(data, app, provider=provider, stage=stage, region=region, profile=profile)
    with open_letters(place) as letters:
        letters.discard(letter)
    if json:
        emit({"id": letter, "discarded": True})
    else:
        say(f"{letter} is forgotten")
