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
    Adapter,
    AdapterError,
    AdapterInfo,
    adapter_names,
    find_adapters,
    hookimpl,
    load_adapter,
)
from cartwheel.plugins import _spec as spec
from cartwheel.workflow import Compiled, Cost, Finding, Gap, Unsupported, Workflow
from cartwheel.workflow._types import NULL, ObjectType
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


def test_an_adapter_that_only_compiles_opens_no_host() -> None:
    for name in ("gcp", "azure"):
        adapter = load_adapter(name)
        assert adapter.compiles
        with pytest.raises(AdapterError, match=f"adapter '{name}' can't open a host yet"):
            adapter.open(app(), HostOptions())


def test_an_adapter_without_a_compiler_says_which_hook_it_lacks() -> None:
    adapter = load_adapter("memory")
    assert not adapter.compiles
    workflow = Workflow(name="w", version="1", input=ObjectType(), output=NULL)
    compiled = Compiled("memory", "w", {"w.json": "{}"}, "w.json")
    with pytest.raises(AdapterError, match="implements no cartwheel_compile_workflow"):
        adapter.compile_workflow(workflow)
    with pytest.raises(AdapterError, match="implements no cartwheel_check"):
        adapter.check(compiled)
    with pytest.raises(AdapterError, match="implements no cartwheel_workflow_cost"):
        adapter.workflow_cost(workflow)


def test_the_hooks_of_a_compiler_are_called() -> None:
    module = types.ModuleType("plugin_compiler")
    compiled = Compiled("mine", "w", {"b": "2", "a": "1"}, "a")
    cost = Cost("mine", "step", 3, 9)

    @hookimpl
    def cartwheel_adapter_info() -> AdapterInfo:
        return AdapterInfo("mine", "a test")

    @hookimpl
    def cartwheel_compile_workflow(workflow: Workflow) -> Compiled:
        return compiled

    @hookimpl
    def cartwheel_check(compiled: Compiled) -> tuple[Finding, ...]:
        return (Finding("rule", "a", "is wrong", "mend it"),)

    @hookimpl
    def cartwheel_workflow_cost(workflow: Workflow) -> Cost:
        return cost

    vars(module).update(
        cartwheel_adapter_info=cartwheel_adapter_info,
        cartwheel_compile_workflow=cartwheel_compile_workflow,
        cartwheel_check=cartwheel_check,
        cartwheel_workflow_cost=cartwheel_workflow_cost,
    )
    adapter = Adapter("mine", module)
    workflow = Workflow(name="w", version="1", input=ObjectType(), output=NULL)
    assert adapter.compile_workflow(workflow).main == "1"
    assert list(compiled.files) == ["a", "b"]
    assert [str(each) for each in adapter.check(compiled)] == ["a: is wrong; mend it [rule]"]
    assert adapter.workflow_cost(workflow) is cost


def test_what_a_target_cant_express_is_said_all_at_once() -> None:
    gaps = [Gap("one", "a", "aws", "no a", "use b"), Gap(None, "c", "aws", "no c", "use d")]
    error = Unsupported(gaps, "w")
    assert str(error) == (
        "workflow 'w' does not compile: step 'one': a can't be expressed on aws: no a; use b\n"
        "c can't be expressed on aws: no c; use d"
    )
    with pytest.raises(ValueError, match="'c' is not among the files"):
        Compiled("aws", "w", {"a": ""}, "c")


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
