"""The typed facade over pluggy: adapters are found by entry point and loaded by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

import pluggy

from cartwheel.plugins import _spec
from cartwheel.plugins._spec import PROJECT, AdapterInfo
from cartwheel.ports import ConfigurationError

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.deployment import Access, BuildOptions, Bundle, Deployer
    from cartwheel.host import Host, HostOptions
    from cartwheel.manifest import Manifest
    from cartwheel.workflow import Compiled, Cost, Finding, Workflow

GROUP = "cartwheel.adapters"

# What an adapter may be for. It needs one of them at least.
_PURPOSES = ("cartwheel_open_host", "cartwheel_compile_workflow", "cartwheel_deployer")


class AdapterError(ConfigurationError):
    """Says that an adapter can't be used, why, and what to do."""


class Adapter:
    """Is one loaded adapter, with a plugin manager of its own so that none disturbs another."""

    def __init__(self, name: str, plugin: object) -> None:
        self.name = name
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(_spec)
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise AdapterError(f"adapter '{name}' does not fit: {error}") from error
        missing = [hook for hook in ("cartwheel_adapter_info",) if not self._implements(hook)]
        if not any(self._implements(hook) for hook in _PURPOSES):
            missing += _PURPOSES
        if missing:
            raise AdapterError(
                f"adapter '{name}' implements no {' and no '.join(missing)}; "
                "see cartwheel.plugins for their signatures"
            )

    @property
    def info(self) -> AdapterInfo:
        """Describe the adapter."""
        return cast("AdapterInfo", self._manager.hook.cartwheel_adapter_info())

    def missing(self) -> tuple[str, ...]:
        """Name the imports that the adapter requires and that are not installed."""
        return tuple(name for name in self.info.requires if not _importable(name))

    @property
    def opens(self) -> bool:
        """Say whether the adapter can open a host, installed extras aside."""
        return self._implements("cartwheel_open_host")

    @property
    def compiles(self) -> bool:
        """Say whether the adapter compiles workflows for an engine."""
        return self._implements("cartwheel_compile_workflow")

    def open(self, app: App, options: HostOptions) -> Host:
        """Open the application on this adapter; raises AdapterError when something is missing."""
        if not self.opens:
            raise AdapterError(
                f"adapter '{self.name}' can't open a host yet: it only compiles workflows; "
                "run the application on 'local' or 'memory'"
            )
        self._need_installed()
        return cast("Host", self._manager.hook.cartwheel_open_host(app=app, options=options))

    def compile_workflow(self, workflow: Workflow) -> Compiled:
        """Compile a workflow; raises AdapterError when this adapter has no compiler."""
        self._need("cartwheel_compile_workflow", "compile workflows")
        return cast("Compiled", self._manager.hook.cartwheel_compile_workflow(workflow=workflow))

    def check(self, compiled: Compiled) -> tuple[Finding, ...]:
        """Find what the engine would refuse; raises AdapterError when there are no checks."""
        self._need("cartwheel_check", "check compiled workflows")
        return cast("tuple[Finding, ...]", self._manager.hook.cartwheel_check(compiled=compiled))

    def workflow_cost(self, workflow: Workflow) -> Cost:
        """Count what a run bills; raises AdapterError when this adapter can't count."""
        self._need("cartwheel_workflow_cost", "count what a workflow bills")
        return cast("Cost", self._manager.hook.cartwheel_workflow_cost(workflow=workflow))

    @property
    def deploys(self) -> bool:
        """Say whether the adapter deploys applications, installed extras aside."""
        return self._implements("cartwheel_deployer")

    def build(self, manifest: Manifest, options: BuildOptions) -> Bundle:
        """Build what is deployed; raises AdapterError when this adapter deploys nothing."""
        self._need("cartwheel_build", "build what is deployed")
        self._need_installed()
        found = self._manager.hook.cartwheel_build(manifest=manifest, options=options)
        return cast("Bundle", found)

    def deployer(self, app: str, access: Access) -> Deployer:
        """Give what deploys to a stage; raises AdapterError when something is missing."""
        self._need("cartwheel_deployer", "deploy")
        self._need_installed()
        return cast("Deployer", self._manager.hook.cartwheel_deployer(app=app, access=access))

    def _need_installed(self) -> None:
        missing = self.missing()
        if missing:
            raise AdapterError(
                f"adapter '{self.name}' needs {', '.join(missing)}: "
                f"pip install {self.info.install or ' '.join(missing)}"
            )

    def _implements(self, hook: str) -> bool:
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def _need(self, hook: str, what: str) -> None:
        if not self._implements(hook):
            raise AdapterError(f"adapter '{self.name}' can't {what}: it implements no {hook}")


@dataclass(frozen=True, slots=True)
class Found:
    """Is an adapter as it was found: loaded, or with the reason why it can't be."""

    name: str
    distribution: str
    adapter: Adapter | None
    error: str | None


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def adapter_names(points: Iterable[EntryPoint] | None = None) -> tuple[str, ...]:
    """Name the adapters that are installed, without loading any."""
    return tuple(sorted({point.name for point in _points(points)}))


def load_adapter(name: str, points: Iterable[EntryPoint] | None = None) -> Adapter:
    """Load one adapter by name; the others are not touched.

    Raises AdapterError with what exists, or why this one can't be loaded.
    """
    found = [point for point in _points(points) if point.name == name]
    if not found:
        listed = ", ".join(adapter_names(points)) or "none"
        raise AdapterError(f"there is no adapter '{name}'; installed: {listed}")
    if len({point.value for point in found}) > 1:
        owners = ", ".join(_distribution(point) for point in found)
        raise AdapterError(f"adapter '{name}' is provided twice, by {owners}; uninstall one")
    return _load(found[0])


def _load(point: EntryPoint) -> Adapter:
    try:
        plugin = point.load()
    except AdapterError:
        raise
    except Exception as error:
        raise AdapterError(
            f"adapter '{point.name}' of {_distribution(point)} can't be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    return Adapter(point.name, plugin)


def find_adapters(points: Iterable[EntryPoint] | None = None) -> tuple[Found, ...]:
    """Load all adapters for a listing; a broken one is listed with its error."""
    found: list[Found] = []
    for point in sorted(_points(points), key=lambda point: point.name):
        try:
            adapter = _load(point)
            adapter.info  # noqa: B018  # an adapter that can't describe itself is listed as broken
        except Exception as error:  # noqa: BLE001  # a third party's code: anything may happen
            found.append(Found(point.name, _distribution(point), None, str(error)))
        else:
            found.append(Found(point.name, _distribution(point), adapter, None))
    return tuple(found)


def _points(points: Iterable[EntryPoint] | None) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP) if points is None else points)


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
