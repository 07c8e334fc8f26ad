"""Requirements: what is needed on the target, in the versions installed here."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from cartwheel.packaging import PackagingError, Pin, Target, requirements_of
from tests.support.wheels import install

TARGET = Target("3.12", "aarch64", 34)
SHOP = "cartwheel_workflows.shop:app"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def project(tmp_path: Path, *dependencies: str, more: str = "") -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    wishes = "" if more else f"dependencies = {json.dumps(list(dependencies))}\n"
    text = f'[project]\nname = "acme-site"\nversion = "1"\n{wishes}{more}'
    folder.joinpath("pyproject.toml").write_text(text)
    folder.joinpath("acme_site.py").write_text("")
    return folder


def named(folder: Path, target: Target = TARGET, *leave_out: str) -> dict[str, str]:
    pins = requirements_of("acme_site:app", folder, target, leave_out=leave_out)
    return {pin.name: pin.version for pin in pins}


def test_the_frameworks_needs_are_pinned_as_installed(tmp_path: Path) -> None:
    pins = requirements_of(SHOP, tmp_path, TARGET)
    found = {pin.name: pin.version for pin in pins}
    assert list(pins) == sorted(pins)
    assert {"pydantic", "pydantic-core", "argon2-cffi-bindings", "typer", "rich"} <= set(found)
    assert found["pydantic"] == version("pydantic")
    assert not {"cartwheel", "boto3", "uvicorn", "pytest"} & set(found)


def test_what_only_the_left_out_need_is_left_out(tmp_path: Path) -> None:
    pins = requirements_of(SHOP, tmp_path, TARGET, leave_out=["Typer", "rich", "pluggy"])
    found = {pin.name for pin in pins}
    assert not {"typer", "rich", "pluggy", "markdown-it-py", "pygments", "shellingham"} & found
    assert {"pydantic", "argon2-cffi", "pyjwt"} <= found


def test_a_projects_dependencies_are_followed(tmp_path: Path, installed: Path) -> None:
    install(installed, "acme-rates", "2.0", ["acme.Tables>=1"])
    install(installed, "acme_tables", "1.5.0")
    found = named(project(tmp_path, "Acme_Rates~=2.0"))
    assert (found["acme-rates"], found["acme-tables"]) == ("2.0", "1.5.0")


def test_extras_bring_what_they_name(tmp_path: Path, installed: Path) -> None:
    needs = ["acme-fast; extra == 'fast'", "acme-slow; extra == 'slow'"]
    install(installed, "acme-rates", "2.0", needs)
    install(installed, "acme-fast", "1")
    found = named(project(tmp_path, "acme-rates[fast]", "acme-rates", "cartwheel[local]"))
    assert {"acme-rates", "acme-fast", "uvicorn"} <= set(found)
    assert "acme-slow" not in found


def test_markers_are_about_the_target(tmp_path: Path, installed: Path) -> None:
    needs = [
        "acme-windows; sys_platform == 'win32'",
        "acme-old; python_version < '3.12'",
        "acme-arm; platform_machine == 'aarch64'",
    ]
    install(installed, "acme-rates", "2.0", needs)
    install(installed, "acme-arm", "1")
    install(installed, "acme-old", "1")
    folder = project(tmp_path, "acme-rates")
    assert {"acme-arm"} == {n for n in named(folder) if n.startswith("acme-")} - {"acme-rates"}
    old = named(folder, Target("3.11", "x86_64", 26))
    assert {"acme-old"} == {n for n in old if n.startswith("acme-")} - {"acme-rates"}


def test_distributions_that_need_each_other_end(tmp_path: Path, installed: Path) -> None:
    install(installed, "acme-a", "1", ["acme-b"])
    install(installed, "acme-b", "1", ["acme-a"])
    assert {"acme-a", "acme-b"} <= set(named(project(tmp_path, "acme-a")))


def test_what_is_not_installed_is_named_with_who_needs_it(tmp_path: Path, installed: Path) -> None:
    install(installed, "acme-rates", "2.0", ["acme-nowhere>=3"])
    with pytest.raises(PackagingError, match=r"acme-rates needs 'acme-nowhere>=3' on cp312-"):
        named(project(tmp_path, "acme-rates"))


def test_an_installed_version_that_does_not_fit_is_an_error(
    tmp_path: Path, installed: Path
) -> None:
    install(installed, "acme-rates", "2.0")
    folder = project(tmp_path, "acme-rates>=3")
    with pytest.raises(PackagingError, match=r"toml needs 'acme-rates>=3', but 2\.0 is installed"):
        named(folder)


def test_what_came_from_no_index_says_so(tmp_path: Path, installed: Path) -> None:
    told = json.dumps({"url": "file:///src/acme", "dir_info": {}})
    install(installed, "acme-rates", "2.0", direct_url=told)
    pins = requirements_of("acme_site:app", project(tmp_path, "acme-rates"), TARGET)
    assert Pin("acme-rates", "2.0", "file:///src/acme") in pins


def test_what_is_linked_is_first_party_but_its_needs_are_needed(
    tmp_path: Path, installed: Path
) -> None:
    told = json.dumps({"url": "file:///src/acme", "dir_info": {"editable": True}})
    install(installed, "acme-lib", "1", ["acme-rates"], direct_url=told)
    install(installed, "acme-rates", "2.0")
    found = named(project(tmp_path, "acme-lib"))
    assert "acme-lib" not in found
    assert found["acme-rates"] == "2.0"


def test_an_installed_application_brings_its_own_needs(tmp_path: Path, installed: Path) -> None:
    install(installed, "acme-site", "1", ["acme-rates"], modules={"acme_site.py": ""})
    install(installed, "acme-rates", "2.0")
    found = named(tmp_path)
    assert found["acme-rates"] == "2.0"
    assert "acme-site" not in found


def test_dynamic_dependencies_are_read_from_what_is_installed(
    tmp_path: Path, installed: Path
) -> None:
    folder = project(tmp_path, more='dynamic = ["dependencies"]\n')
    with pytest.raises(PackagingError, match="'acme-site' is not installed here"):
        named(folder)
    install(installed, "acme-site", "1", ["acme-rates"])
    install(installed, "acme-rates", "2.0")
    assert "acme-rates" in named(folder)


def test_a_wish_that_nobody_can_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="asks for 'acme rates', which nobody can read"):
        named(project(tmp_path, "acme rates"))


def test_a_project_file_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    folder = project(tmp_path)
    folder.joinpath("pyproject.toml").write_text("[project")
    with pytest.raises(PackagingError, match=r"pyproject\.toml is no TOML"):
        named(folder)
