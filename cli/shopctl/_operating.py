"""What operators work on: the data folder of this machine, or a stage on a provider."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from cartwheel.host import Host
from cartwheel.ports import HistoryEntry, Json, Run, RunPage, RunStatus, WorkflowRuntime
from shopctl._deploy import Target
from shopctl._errors import CliError, UsageError

BY_ITSELF = "the stage takes it up by itself"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Is a folder of this machine; without a path it is the application's own."""

    path: Path | None
    app_name: str | None


Place: TypeAlias = DataFolder | Target


class Runs(Protocol):
    """Is the runs of a place, as commands list and steer them."""

    @property
    def taken_up(self) -> str:
        """Tell people when what is asked for here is taken up."""
        ...

    @property
    def look_seconds(self) -> float:
        """Give the seconds between two looks at a run."""
        ...

    def list(self, *, status: RunStatus | None, workflow: str | None, limit: int) -> RunPage:
        """List runs, newest first."""
        ...

    def status(self, run_id: str) -> Run:
        """Give a run, with what it waits for; raises RunNotFound."""
        ...

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give what has happened to a run; raises RunNotFound."""
        ...

    def signal(
        self, run_id: str, name: str, payload: Json, signal_id: str | None
    ) -> tuple[str, bool]:
        """Keep a signal for a run; gives its id and whether it is new.

        Raises RunNotFound, and CliError for a run that has ended or does not know the signal.
        """
        ...

    def cancel(self, run_id: str, reason: str) -> bool:
        """Ask a run to end; tells whether nobody had asked before.

        Raises RunNotFound, and CliError for a run that has ended.
        """
        ...

    def redrive(self, run_id: str) -> None:
        """Have an ended run go on; raises RunNotFound, and RunConflict where it can't."""
        ...


class HostRuns:
    """Is the runs of a host that was opened from beside."""

    taken_up = BY_ITSELF
    look_seconds = 2.0
    """A look is several calls of a provider, which are counted and paid for."""

    def __init__(self, runtime: WorkflowRuntime) -> None:
        self._runtime = runtime

    def list(self, *, status: RunStatus | None, workflow: str | None, limit: int) -> RunPage:
        """List runs, newest first."""
        return self._runtime.list(status=status, workflow=workflow, limit=limit)

    def status(self, run_id: str) -> Run:
        """Give a run; see Runs."""
        return self._runtime.status(run_id)

    def history(self, run_id: str) -> Sequence[HistoryEntry]:
        """Give what has happened to a run; see Runs."""
        return self._runtime.history(run_id)

    def signal(
        self, run_id: str, name: str, payload: Json, signal_id: str | None
    ) -> tuple[str, bool]:
        """Keep a signal for a run; see Runs."""
        used = signal_id or new_signal_id()
        try:
            kept = self._runtime.signal(run_id, name, payload, signal_id=used)
        except ValueError as error:
            workflow = self._runtime.status(run_id).workflow
            raise CliError(str(error), f"shopctl workflow show {workflow}") from error
        if not kept:
            # The runtime drops a signal for either reason: it was had before, or the run is over.
            refuse_ended(self._runtime.status(run_id), "gets no more signals")
        return used, kept

    def cancel(self, run_id: str, reason: str) -> bool:
        """Ask a run to end; see Runs."""
        run = self._runtime.status(run_id)
        refuse_ended(run, "can't be cancelled any more")
        self._runtime.cancel(run_id, reason)
        return not run.cancel_requested

    def redrive(self, run_id: str) -> None:
        """Have an ended run go on; see Runs."""
        self._runtime.redrive(run_id)


def new_signal_id() -> str:
    """Make an id for a signal that was given none."""
    return f"cli-{uuid.uuid4().hex}"


def refuse_ended(run: Run, so: str) -> None:
    """Raise CliError for a run that has ended."""
    if run.status is not RunStatus.RUNNING:
        raise CliError(f"run '{run.run_id}' has ended ({run.status}); it {so}")


def place_of(
    data: Path | None,
    app: str | None,
    *,
    provider: str | None,
    stage: str | None,
    region: str | None,
    profile: str | None,
) -> Place:
    """Tell which place a command's options mean; raises UsageError where they contradict."""
    if provider is not None:
        if data is not None:
            raise UsageError(
                "--data names a folder of this machine and --provider a stage elsewhere",
                "give one of them",
            )
        return Target(provider, "dev" if stage is None else stage, region, profile, app)
    options = {"--stage": stage, "--region": region, "--profile": profile}
    given = [name for name, value in options.items() if value is not None]
    if given:
        # Whoever means a stage must not change this machine's data instead.
        raise UsageError(
            f"{', '.join(given)} without --provider: a data folder has no such thing",
            "name the stage's provider with --provider",
        )
    return DataFolder(data, app)


@contextmanager
def open_stage(target: Target) -> Iterator[Host]:
    """Open a stage from beside; raises UsageError with what to do where there can't be one."""
    try:
        target.adapter  # noqa: B018  # it is looked for before anything else is
    except UsageError as error:
        hint = f"{error.hint}, or work on a data folder with --data"
        raise UsageError(error.message, hint) from None
    with target.host() as host:
        yield host


@contextmanager
def open_runs(place: Place) -> Iterator[Runs]:
    """Open the runs of a place."""
    if isinstance(place, Target):
        with open_stage(place) as host:
            yield HostRuns(host.ports.workflows)
        return
    from shopctl._journal import open_folder

    with open_folder(place.path, place.app_name) as folder:
        yield folder
