"""The words for deploying are the same for every adapter, and say what is at stake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cartwheel.app import App
from cartwheel.deployment import (
    Access,
    BuildOptions,
    Bundle,
    Change,
    Deployer,
    DeploymentError,
    Plan,
)
from cartwheel.host import Host, HostOptions
from cartwheel.manifest import Manifest, manifest_of
from cartwheel.plugins import Adapter, AdapterError, AdapterInfo, hookimpl, load_adapter


def test_an_adapter_that_deploys_nothing_says_which_hook_it_lacks() -> None:
    adapter = load_adapter("memory")
    assert not adapter.deploys
    with pytest.raises(AdapterError, match=r"'memory' can't deploy.*cartwheel_deployer"):
        adapter.deployer("shop", Access("test"))
    options = BuildOptions("test", Path())
    with pytest.raises(AdapterError, match=r"'memory' can't build.*cartwheel_build"):
        adapter.build(manifest_of(App("small", services=[]), "small:app"), options)


def test_the_hooks_of_a_deployer_are_called_once_what_they_need_is_there() -> None:
    class Plugin:
        needs: tuple[str, ...] = ()

        @hookimpl
        def cartwheel_adapter_info(self) -> AdapterInfo:
            return AdapterInfo("sky", "deploys", requires=self.needs, install="sky-sdk")

        @hookimpl
        def cartwheel_open_host(self, app: App, options: HostOptions) -> Host:
            raise AssertionError("nobody opens it")

        @hookimpl
        def cartwheel_build(self, manifest: Manifest, options: BuildOptions) -> Bundle:
            return Bundle("sky", manifest.app, options.stage, {"b": b"", "a": b""})

        @hookimpl
        def cartwheel_deployer(self, app: str, access: Access) -> Deployer:
            raise DeploymentError(f"{app} on {access.stage}")

    plugin = Plugin()
    adapter = Adapter("sky", plugin)
    assert adapter.deploys
    bundle = adapter.build(
        manifest_of(App("small", services=[]), "small:app"), BuildOptions("test", Path())
    )
    assert (bundle.app, bundle.stage, list(bundle.files)) == ("small", "test", ["a", "b"])
    with pytest.raises(DeploymentError, match="small on test"):
        adapter.deployer("small", Access("test"))
    plugin.needs = ("no_such_sdk",)
    with pytest.raises(AdapterError, match=r"no_such_sdk: pip install sky-sdk"):
        adapter.deployer("small", Access("test"))


@pytest.mark.parametrize("path", ["/a", "../a", "a/../../b", "a\\b", ""])
def test_a_bundle_holds_no_path_that_leads_out_of_it(path: str) -> None:
    with pytest.raises(ValueError, match="no path of a bundle"):
        Bundle("sky", "small", "test", {path: b""})


def test_a_plan_names_what_would_take_data_away() -> None:
    kept = Change("remove", "function", "f")
    lost = Change("replace", "table", "t", ("key",), data=True)
    plan = Plan("sky", "test", (kept, lost, Change("change", "table", "t2", data=True)))
    assert plan.loses_data == (lost,)
    assert json.dumps(plan.to_json())


def test_a_bundle_is_written_as_it_is(tmp_path: Path) -> None:
    bundle = Bundle("sky", "small", "test", {"a/b.txt": b"b", "c.txt": b"c"})
    assert [path.relative_to(tmp_path).as_posix() for path in bundle.write(tmp_path)] == [
        "a/b.txt",
        "c.txt",
    ]
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"b"
