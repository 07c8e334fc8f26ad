"""An application's own code: what it imports from outside site-packages, and the framework."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from cartwheel.packaging import PackagingError, archive, sources_of

ROOT = Path(__file__).resolve().parents[3]
SHOP = "cartwheel_workflows.shop:app"


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def own(spec: str, folder: Path, *leave_out: str, also: tuple[str, ...] = ()) -> set[str]:
    files = sources_of(spec, folder, leave_out=leave_out, also=also)
    return {path for path in files if not path.startswith("cartwheel/")}


def test_a_module_brings_what_it_imports_and_what_that_imports(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "site_app.py": "import helper_one\n",
            "helper_one.py": "def later():\n    from helper_two import x\n",
            "helper_two/__init__.py": "import json, pydantic\n",
            "helper_two/deep/m.py": "",
            "unrelated.py": "",
        },
    )
    assert own("site_app:app", tmp_path) == {
        "site_app.py",
        "helper_one.py",
        "helper_two/__init__.py",
        "helper_two/deep/m.py",
    }


def test_a_package_brings_its_data_and_not_what_developers_keep_beside(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "site/__init__.py": "",
            "site/py.typed": "",
            "site/mails/welcome.html": b"\xff\x00",
            "site/.env": "secret",
            "site/.git/config": "",
            "site/__pycache__/x.pyc": "",
            "site/conftest.py": "",
            "site/test_site.py": "",
            "site/tests/data.json": "",
            "site/env/pyvenv.cfg": "",
            "site/env/lib/site.py": "",
            "site/page.html~": "",
        },
    )
    # `site` is a module of the standard library as well: the folder comes first.
    assert own("site:app", tmp_path) == {
        "site/__init__.py",
        "site/py.typed",
        "site/mails/welcome.html",
    }


def test_a_namespace_package_is_taken_from_the_folder(tmp_path: Path) -> None:
    write(tmp_path, {"acme_spread/api.py": "", "acme_spread/x/y.py": ""})
    assert own("acme_spread.api:app", tmp_path) == {"acme_spread/api.py", "acme_spread/x/y.py"}


def test_installed_distributions_are_no_sources(tmp_path: Path) -> None:
    write(tmp_path, {"site_app.py": "import pydantic, packaging, argon2\n"})
    assert own("site_app:app", tmp_path) == {"site_app.py"}


def test_what_is_imported_by_name_only_is_given(tmp_path: Path) -> None:
    write(tmp_path, {"site_app.py": "", "plugged.py": ""})
    assert own("site_app:app", tmp_path, also=("plugged",)) == {"site_app.py", "plugged.py"}


def test_the_framework_is_there_without_what_tests_need(tmp_path: Path) -> None:
    write(tmp_path, {"site_app.py": ""})
    files = sources_of("site_app:app", tmp_path)
    assert {"cartwheel/__init__.py", "cartwheel/py.typed", "cartwheel/app.py"} <= set(files)
    assert not [path for path in files if path.startswith("cartwheel/testing")]


def test_the_shop_brings_its_services_and_workflows_without_what_tests_need() -> None:
    found = own(SHOP, ROOT)
    assert {path.split("/")[0] for path in found} == {"cartwheel_shop", "cartwheel_workflows"}
    assert {"cartwheel_workflows/checkout.py", "cartwheel_shop/orders/api.py"} <= found
    assert not [path for path in found if "testing" in path or "pytest" in path]


def test_an_installed_framework_gives_the_same_files_as_a_linked_one(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    installed = tmp_path / "site-packages"
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(installed)
    code = (
        "import hashlib, sys\nfrom pathlib import Path\n"
        "from cartwheel.packaging import archive, sources_of\n"
        f"files = sources_of({SHOP!r}, Path(sys.argv[1]), also=('cartwheel_aws',))\n"
        "print(sys.modules['cartwheel'].__file__, hashlib.sha256(archive(files)).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, digest = done.stdout.split()
    assert Path(where).is_relative_to(installed)
    linked = sources_of(SHOP, ROOT, also=("cartwheel_aws",))
    assert digest == hashlib.sha256(archive(linked)).hexdigest()


def test_what_is_left_out_is_left_out_with_all_below_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "site_app/__init__.py": "def later():\n    import site_app.tool\n",
            "site_app/tool/__init__.py": "import json\n",
            "site_app/tool/data.txt": "",
            "site_app/tools.py": "",
        },
    )
    assert own("site_app:app", tmp_path, "site_app.tool") == {
        "site_app/__init__.py",
        "site_app/tools.py",
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("from site_app import tool", "site_app/__init__.py imports site_app.tool"),
        ("from .tool import x", "site_app/__init__.py imports site_app.tool"),
        ("import cartwheel.testing", "site_app/__init__.py imports cartwheel.testing"),
    ],
)
def test_what_others_need_to_load_can_not_be_left_out(tmp_path: Path, line: str, told: str) -> None:
    write(tmp_path, {"site_app/__init__.py": line, "site_app/tool.py": ""})
    with pytest.raises(PackagingError, match=told):
        sources_of("site_app:app", tmp_path, leave_out=["site_app.tool"])


def test_code_that_is_compiled_for_this_machine_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"site_app/__init__.py": "", "site_app/fast.so": b"\x7fELF"})
    with pytest.raises(PackagingError, match=r"fast\.so is compiled for this machine"):
        sources_of("site_app:app", tmp_path)


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="no module 'nowhere' in"):
        sources_of("nowhere.at_all:app", tmp_path)


@pytest.mark.parametrize("spec", ["site_app", "site_app:", ":app", "site-app:app", "../x:app"])
def test_a_name_of_another_shape_is_refused(tmp_path: Path, spec: str) -> None:
    with pytest.raises(PackagingError, match="is not MODULE:NAME"):
        sources_of(spec, tmp_path)


def test_a_module_that_is_no_python_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"site_app.py": "x = = 1"})
    with pytest.raises(PackagingError, match=r"site_app\.py:1 is no Python"):
        sources_of("site_app:app", tmp_path)
