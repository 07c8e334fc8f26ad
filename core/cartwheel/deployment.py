"""What deploying means on every provider: a bundle, a plan, and the verbs of a deployer.

    App -> Manifest -> Bundle -> Plan -> Deployment

An adapter builds a bundle from a manifest, without credentials and without a network, and gives a
deployer that compares a bundle with what is there, applies it and looks after it. Resources keep
the provider's own names; the words for what happens to them are ours, the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from cartwheel.ports import CartwheelError, Json, JsonObject

Action: TypeAlias = Literal["add", "change", "replace", "remove"]


@dataclass(frozen=True, slots=True)
class Outside:
    """Says which services outside a deployed application uses, and what they need.

    `variables` are the functions' environment and hold nothing secret. `replaces` names the ports
    that they take the place of, with the secrets which that needs. `put`, `module:name`, is the
    function from ports to those to use; `extras` are the framework's that it needs.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    replaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    put: str = ""
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Says how to build: for which stage, from which project folder, for which machine.

    `outside` says what takes the place of the platform's own services. `wheels` is a folder with
    wheels that no index has for the functions' platform.
    """

    stage: str
    folder: Path
    architecture: Literal["arm64", "x86_64"] = "arm64"
    outside: Outside = field(default_factory=Outside)
    wheels: Path | None = None
    say: Callable[[str], None] = lambda line: None
    """Takes a line about what is being done, for people."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Is an application as a provider deploys it: files that stand on their own.

    `files` maps relative paths with `/` to contents, the same byte for byte for the same
    application and options. `notes` are for people: what was built, and how large.
    """

    provider: str
    app: str
    stage: str
    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Keep the files in the order of their paths; raises ValueError for one that leads out."""
        for path in self.files:
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or "\\" in path:
                raise ValueError(f"{path!r} is no path of a bundle")
        ordered = {path: self.files[path] for path in sorted(self.files)}
        object.__setattr__(self, "files", MappingProxyType(ordered))

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write the files into a folder and give their paths; what else is there stays."""
        written: list[Path] = []
        for path, content in self.files.items():
            target = folder.joinpath(*PurePosixPath(path).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            written.append(target)
        return tuple(written)


@dataclass(frozen=True, slots=True)
class Change:
    """Is one thing that a deployment would do to a resource.

    `kind` and `name` are the provider's words (`AWS::Lambda::Function`, `OrdersFunction`).
    `details` say which properties, for people. `data` tells that the resource keeps data.
    """

    action: Action
    kind: str
    name: str
    details: tuple[str, ...] = ()
    data: bool = False

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "details": [*self.details],
            "data": self.data,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Is what a deployment would do, in the order of the provider; nothing when it is empty."""

    provider: str
    stage: str
    changes: tuple[Change, ...]

    @property
    def loses_data(self) -> tuple[Change, ...]:
        """Give the changes that would take data away."""
        return tuple(
            one for one in self.changes if one.data and one.action in {"replace", "remove"}
        )

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {
            "provider": self.provider,
            "stage": self.stage,
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Step:
    """Is one thing that happened during a deployment, told while it happens.

    `state` is `doing`, `done` or `failed`; `reason` the provider's word for a failure. `kind` is
    empty for what is no resource. `action` is what happens to one: `back` when it is undone.
    """

    state: Literal["doing", "done", "failed"]
    what: str
    kind: str = ""
    reason: str = ""
    action: Literal["add", "change", "remove", "back"] = "change"


Progress: TypeAlias = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Is a stage as it stands.

    `state` is the provider's word. `outputs` has `url`, the application's address, and what else
    the provider's parts are called. `version` names what is deployed, `at` says since when.
    """

    provider: str
    app: str
    stage: str
    state: str
    outputs: Mapping[str, str]
    version: str = ""
    at: str = ""
    changed: bool = True
    """Whether the last deployment changed anything."""

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {
            "provider": self.provider,
            "app": self.app,
            "stage": self.stage,
            "state": self.state,
            "version": self.version,
            "at": self.at,
            "outputs": {**self.outputs},
            "changed": self.changed,
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """Is a resource that somebody changed beside the deployments.

    `state` is `modified` or `deleted`; `details` name the properties with both values.
    """

    kind: str
    name: str
    state: Literal["modified", "deleted"]
    details: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "state": self.state,
            "details": [*self.details],
        }


@dataclass(frozen=True, slots=True)
class LogLine:
    """Is one line that a function wrote; `at` is RFC 3339 in UTC."""

    at: str
    function: str
    text: str


@dataclass(frozen=True, slots=True)
class Removed:
    """Says what destroying a stage took away and what it kept, as `kind name`."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]


class DeploymentError(CartwheelError):
    """Says that the provider refused or a deployment failed, and what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """Says where a stage is and who asks; empty fields are the provider's usual sources'."""

    stage: str
    region: str | None = None
    profile: str | None = None


class Deployer(Protocol):
    """Deploys bundles of one application to one stage, and looks after it.

    Every verb may be interrupted anywhere and called again: it goes on or starts anew by itself.
    All raise DeploymentError when the provider refuses, ConfigurationError without credentials.
    """

    def plan(self, bundle: Bundle) -> Plan:
        """Compare a bundle with what is deployed; leaves nothing behind."""
        ...

    def deploy(
        self, bundle: Bundle, progress: Progress, *, allow_data_loss: bool = False
    ) -> Deployment:
        """Make the stage what the bundle says and wait until it answers.

        On failure the provider goes back to what was there before, and DeploymentError says why.
        What would take data away is refused before anything is changed, unless that is allowed.
        """
        ...

    def status(self) -> Deployment | None:
        """Give the stage as it stands; None when there is none."""
        ...

    def rollback(self, progress: Progress) -> Deployment:
        """Deploy once more what was deployed before; DeploymentError when there is nothing."""
        ...

    def logs(self, function: str | None, since: float, *, follow: bool) -> Iterator[LogLine]:
        """Give what functions wrote since an epoch time, oldest first; for ever with `follow`."""
        ...

    def invoke(self, function: str, event: Json) -> Json:
        """Call a function with an event as the platform would, and give its answer."""
        ...

    def drift(self) -> tuple[Drift, ...]:
        """Find what somebody changed beside the deployments."""
        ...

    def destroy(self, progress: Progress, *, delete_data: bool) -> Removed:
        """Take away what deployments made, and nothing else; data only when told to."""
        ...
