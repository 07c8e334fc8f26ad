"""Adapters are loaded by name, and a broken one takes nobody down."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import (
    GROUP,
    AdapterError,
    AdapterInfo,
    adapter_names,
    find_adapters,
    hookimpl,
    load_adapter,
)
from cartwheel.plugins import _spec as spec
from cartwheel_memory import MemoryHost


@pytest.fixture
def points() -> Iterator[list[EntryPoint]]:
    modules: list[str] = []

    def module(name: str, **members: object) -> EntryPoint:
        made = types.ModuleType(name)
        vars(made).update(members)
        sys.modules[name] = made
        modules.append(name)
        return EntryPoint(name.removeprefix("plugin_"), name, GROUP)

    def info(name: str, *requires: str) -> object:
        @hookimpl
        def cartwheel_adapter_info() -> AdapterInfo:
            return AdapterInfo(name, "a test", requires, install=f"'cartwheel[{name}]'")

        return cartwheel_adapter_info

    @hookimpl
    def cartwheel_open_host(app: App, options: HostOptions) -> object:
        return MemoryHost(app, options)

    @hookimpl
    def cartwheel_opened_host(app: App) -> None:
        """Implement a hook that does not exist."""

    @hookimpl
    def cartwheel_adapter_info_with_more(extra: int) -> None:
        """Implement another."""

    yield [
        module(
            "plugin_good",
            cartwheel_adapter_info=info("good"),
            cartwheel_open_host=cartwheel_open_host,
        ),
        module(
            "plugin_needy",
            cartwheel_adapter_info=info("needy", "nowhere_to_be_found"),
            cartwheel_open_host=cartwheel_open_host,
        ),
        module(
            "plugin_strange",
            cartwheel_adapter_info=info("strange"),
            cartwheel_opened_host=cartwheel_opened_host,
        ),
        module("plugin_empty"),
        EntryPoint("missing", "plugin_that_is_not_there", GROUP),
        EntryPoint("twice", "plugin_good", GROUP),
        EntryPoint("twice", "plugin_empty", GROUP),
    ]
    for name in modules:
        del sys.modules[name]


def app() -> App:
    return App("test", services=[Service("nothing")])


def test_the_embedded_adapters_are_installed() -> None:
    assert {"memory", "local"} <= set(adapter_names())


def test_an_adapter_opens_an_application(points: list[EntryPoint]) -> None:
    with load_adapter("good", points).open(app(), HostOptions(log=discard)) as host:
        assert host.app.name == "test"


def test_an_unknown_name_is_answered_with_what_exists(points: list[EntryPoint]) -> None:
    with pytest.raises(AdapterError, match="no adapter 'oracle'; installed: empty, good"):
        load_adapter("oracle", points)


def test_a_missing_import_is_answered_with_what_to_install(points: list[EntryPoint]) -> None:
    adapter = load_adapter("needy", points)
    with pytest.raises(AdapterError, match=r"needs nowhere_to_be_found: pip install 'cartwheel\[n"):
        adapter.open(app(), HostOptions())


def test_one_name_from_two_distributions_is_refused(points: list[EntryPoint]) -> None:
    with pytest.raises(AdapterError, match="provided twice"):
        load_adapter("twice", points)


def test_a_hook_that_does_not_exist_is_named(points: list[EntryPoint]) -> None:
    with pytest.raises(AdapterError, match="cartwheel_opened_host"):
        load_adapter("strange", points)


def test_a_plugin_without_the_hooks_is_named(points: list[EntryPoint]) -> None:
    with pytest.raises(AdapterError, match="implements no cartwheel_adapter_info and no"):
        load_adapter("empty", points)


def test_broken_adapters_are_listed_beside_good_ones(points: list[EntryPoint]) -> None:
    found = {item.name: item.error for item in find_adapters(points)}
    assert found["good"] is None
    assert found["needy"] is None
    assert "plugin_that_is_not_there" in str(found["missing"])
    assert "cartwheel_opened_host" in str(found["strange"])


def test_every_hook_says_when_it_is_called() -> None:
    hooks = [name for name in vars(spec) if name.startswith("cartwheel_")]
    assert len(hooks) >= 2
    for name in hooks:
        assert "called" in (getattr(spec, name).__doc__ or ""), name
