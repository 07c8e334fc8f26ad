"""Deploying for the command line: finding the adapter, building, asking, and telling."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cartwheel.deployment import Access, BuildOptions, Bundle, Deployer, Deployment, Plan, Step
from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel.plugins import find_adapters, load_adapter
from shopctl._apps import Project, find_project, load_project
from shopctl._errors import CliError, UsageError
from shopctl._output import say

if TYPE_CHECKING:
    from rich.console import Console

    from cartwheel.app import App
    from cartwheel.plugins import Adapter

Architecture = Literal["arm64", "x86_64"]
SIGNS = {"add": "+", "change": "~", "replace": "-/+", "remove": "-", "back": "<"}
_STYLES = {"+": "green", "~": "yellow", "-/+": "red", "-": "red", "<": "yellow", "!": "bold red"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SINCE = re.compile(r"(\d{1,6})([smhd])")


@dataclass(frozen=True)
class Target:
    """Is what a command is about: an application's stage on a provider."""

    provider: str
    stage: str
    region: str | None
    profile: str | None
    app_name: str | None

    @cached_property
    def adapter(self) -> Adapter:
        """Load the provider's adapter; raises UsageError with those that deploy."""
        known = [found.name for found in find_adapters() if found.adapter and found.adapter.deploys]
        if self.provider not in known:
            raise UsageError(
                f"no adapter '{self.provider}' deploys; there are: {', '.join(known) or 'none'}",
                "name one with --provider",
            )
        return load_adapter(self.provider)

    @cached_property
    def project(self) -> Project:
        """Find the project that the application is of."""
        return find_project(self.app_name, Path.cwd())

    @cached_property
    def app(self) -> App:
        """Load the application."""
        return load_project(self.project)

    @cached_property
    def deployer(self) -> Deployer:
        """Give what deploys to the stage."""
        adapter = self.adapter
        return adapter.deployer(self.app.name, self._access)

    @contextmanager
    def host(self) -> Iterator[Host]:
        """Open the stage from beside, for looks and small changes; its functions go on there."""
        adapter = self.adapter
        if not adapter.opens:
            raise UsageError(
                f"adapter '{self.provider}' deploys stages, but can't open one from beside",
                "use the provider's own tools",
            )
        options = HostOptions(background=False, log=discard, access=self._access)
        with adapter.open(self.app, options) as host:
            yield host

    @property
    def _access(self) -> Access:
        return Access(self.stage, self.region, self.profile)

    def bundle(self, architecture: Architecture, wheels: Path | None) -> Bundle:
        """Build what is deployed, and say so on standard error."""
        from cartwheel.manifest import manifest_of
        from shopctl._settings import load_settings, outside

        adapter = self.adapter
        options = BuildOptions(
            stage=self.stage,
            folder=self.project.folder,
            architecture=architecture,
            outside=outside(load_settings(None, self.project.folder)),
            wheels=wheels,
            say=note,
        )
        return adapter.build(manifest_of(self.app, self.project.spec), options)

    def __str__(self) -> str:
        return f"stage '{self.stage}' of '{self.app.name}' on {self.provider}"


def note(line: str) -> None:
    """Say what is being done, on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def can_ask(question: str, *, yes: bool) -> None:
    """Raise UsageError when there is something to ask and nobody to answer."""
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to answer", "--yes answers")


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether to go on; raises CliError when not, UsageError when nobody can answer."""
    can_ask(question, yes=yes)
    if yes:
        return
    import typer

    if not typer.confirm(question, err=True):
        raise CliError("not confirmed: nothing was changed")


@contextmanager
def going_on(target: Target) -> Iterator[None]:
    """Say after Ctrl-C that what was begun doesn't end with it."""
    try:
        yield
    except KeyboardInterrupt:
        note(
            f"{target.provider} goes on with what has begun; run the command again, and it takes "
            "up from there"
        )
        raise


class Teller:
    """Tells steps on standard error as they happen; in colour on a terminal only."""

    def __init__(self) -> None:
        self._console = _console(errors=True)

    def __call__(self, step: Step) -> None:
        """Tell a step."""
        if not step.kind:
            self._write("", step.what)
            return
        what = f"{step.kind} {step.what}"
        match step.state:
            case "doing":
                self._write(SIGNS[step.action], f"{what} ...")
            case "done":
                self._write(SIGNS[step.action], what)
            case "failed":
                self._write("!", f"{what}: {step.reason}")

    def _write(self, sign: str, text: str) -> None:
        _line(self._console, sign, text)


def show_plan(plan: Plan) -> None:
    """Print a plan: what is done to what, and how much of it there is."""
    if not plan.changes:
        say("no change")
        return
    console = _console(errors=False)
    for change in plan.changes:
        keeps = "  (keeps data)" if change.data else ""
        _line(console, SIGNS[change.action], f"{change.kind} {change.name}{keeps}")
        for detail in change.details:
            _line(console, "", f"      {detail}")
    say(summary(plan))


def summary(plan: Plan) -> str:
    """Count what a plan does."""
    count = {"add": 0, "change": 0, "replace": 0, "remove": 0}
    for one in plan.changes:
        count[one.action] += 1
    return ", ".join(f"{number} to {action}" for action, number in count.items())


def show_deployment(found: Deployment) -> None:
    """Print a stage as it stands."""
    say(f"{found.app} on {found.provider}, stage {found.stage}: {found.state}")
    if found.version:
        say(f"  version  {found.version}")
    if found.at:
        say(f"  since    {found.at}")
    for name, value in found.outputs.items():
        say(f"  {name.ljust(7)}  {value}")


def seconds_of(text: str) -> int:
    """Read a duration such as `90s`, `10m`, `2h`, `1d`; raises UsageError."""
    found = _SINCE.fullmatch(text)
    if found is None:
        raise UsageError(f"--since {text} is no duration", "for example: 90s, 10m, 2h, 1d")
    return int(found[1]) * _UNITS[found[2]]


def _console(*, errors: bool) -> Console:
    from rich.console import Console

    return Console(stderr=errors, highlight=False, soft_wrap=True)


def _line(console: Console, sign: str, text: str) -> None:
    from rich.text import Text

    line = f"{sign.rjust(3)} {text}" if sign else text
    # A pipe gets the text as it is, and a closed one is noticed.
    if not console.is_terminal:
        (note if console.stderr else say)(line)
        return
    console.print(Text(line, style=_STYLES.get(sign, "")))
