"""Packages for Lambda, built for this machine, unpacked, and run where nothing is installed."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cartwheel.packaging import PackagingError
from cartwheel_aws import Package, Packages, packages
from cartwheel_aws.deploy._package import _GLIBC, _MODULES, Architecture
from tests.support.engines import require

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello"
SHOP = "cartwheel_workflows.shop:app"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURES: dict[str, Architecture] = {"aarch64": "arm64", "x86_64": "x86_64"}

# What the memory adapter needs and functions have not: an engine of our own, and its interpreter.
LENT = {
    name: str(ROOT / "core" / f"{name.replace('.', '/')}.py")
    for name in _MODULES
    if name == "cartwheel.agenda"
    or name.startswith("cartwheel.runs.")
    or name.endswith(("._evaluate", "._execution", "._frames", "._interpreter"))
}
LEND = f"""
import importlib.util, sys
lent = {LENT!r}
class Lender:
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, lent[name]) if name in lent else None
sys.meta_path.append(Lender())
"""

runs_here = (
    sys.platform == "linux"
    and platform.libc_ver()[0] == "glibc"
    and platform.machine() in ARCHITECTURES
    and PYTHON in _GLIBC
)
require("a machine like Lambda's", runs_here, "Linux with glibc on x86_64 or aarch64")
ARCHITECTURE = ARCHITECTURES.get(platform.machine(), "x86_64")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Workers of one run share it: the parent of their own folders.
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def build(spec: str, folder: Path, cache: Path, **handlers: str) -> Packages:
    files = {name: {"handler.py": text.encode()} for name, text in handlers.items()}
    try:
        return packages(spec, folder, files, architecture=ARCHITECTURE, python=PYTHON, cache=cache)
    except PackagingError as error:
        require("a package index", "package index does not answer" not in str(error), str(error))
        raise


@pytest.fixture(scope="module")
def shop(cache: Path) -> Packages:
    return build(SHOP, ROOT, cache, orders="from cartwheel_workflows.shop import app\n")


@pytest.fixture(scope="module")
def hello(cache: Path) -> Packages:
    return build("hello:app", HELLO, cache, hello="from hello import app\n")


def unpack(package: Package, into: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(package.content)) as packed:
        packed.extractall(into)
    return into


def run(built: Packages, service: str, folder: Path, code: str) -> Any:
    """Run code after the handler, on the packages and the standard library alone."""
    unpack(built.dependencies, folder / "opt")
    unpack(built.shared, folder / "opt")
    task = unpack(built.functions[service], folder / "task")
    # The memory adapter is no part of a package; its folder holds nothing else.
    paths = [task, folder / "opt" / "python", ROOT / "adapters" / "memory"]
    head = (
        f"import sys\nsys.path[:0] = {[str(path) for path in paths]!r}\nfrom handler import app\n"
        f"{LEND}"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", head + code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LOADED = """
import json
allowed = tuple(sys.path[:3]) + (sys.base_prefix,)
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()
         if name not in lent}
strange = [f"{n} {f}" for n, f in files.items() if f and not f.startswith(allowed)]
strange += [n for n, f in files.items() if f and "site-packages" in f]
cached = {n: m.__cached__ for n, m in sys.modules.items() if n.startswith(("cartwheel", "pydantic"))
          and getattr(m, "__cached__", None) and "memory" not in n and n not in lent}
uncompiled = [n for n, c in cached.items() if not __import__("os").path.exists(c)]
"""

WELCOME = """
from cartwheel.host import HostOptions
from cartwheel.http import Request
from cartwheel.log import discard
from cartwheel_memory._host import MemoryHost
import json
said = []
with MemoryHost(app, HostOptions(log=discard)) as host:
    def ask(method, path, body=None, **headers):
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": ("application/json",)} if body is not None else {}
        sent |= {name.replace("_", "-"): (value,) for name, value in headers.items()}
        response = host.dispatcher.http(Request(method, path, headers=sent, body=content))
        said.append([response.status, response.json()])
        return response.json()
    run = ask("POST", "/welcomes", {"name": "ada"}, idempotency_key="a-first-visit")["run_id"]
    ask("POST", f"/welcomes/{run}/answer", {"text": "hi"})
    host.settle(120)
    ask("GET", "/visits/ada")
    ask("POST", "/welcomes", {"nome": "ada"}, idempotency_key="a-second-visit")
    said.append(host.ports.workflows.status(run).output)
    ask("GET", "/openapi.json")
"""

SHOPPING = """
from cartwheel.host import HostOptions
from cartwheel.http import Request
from cartwheel.log import discard
from cartwheel_memory._host import MemoryHost
from cartwheel_shop.seed import seed
import json
said = []
with MemoryHost(app, HostOptions(log=discard)) as host:
    def ask(method, path, body=None, **headers):
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": ("application/json",)} if body is not None else {}
        sent |= {name.replace("_", "-"): (value,) for name, value in headers.items()}
        response = host.dispatcher.http(Request(method, path, headers=sent, body=content))
        said.append(response.status)
        return response.json()
    seed(host.ports)
    host.settle(1)
    who = {"email": "ada@example.org", "password": "correct horse battery"}
    ask("POST", "/users/register", {**who, "name": "ada"})
    mine = {"authorization": "Bearer " + ask("POST", "/users/login", who)["access_token"]}
    product = ask("GET", "/products")["items"][0]["product_id"]
    ask("POST", "/cart/items", {"product_id": product, "quantity": 2}, **mine)
    address = {"name": "A", "street": "1 Main Street", "city": "B", "postal_code": "1"}
    order = {"payment_token": "tok_ok", "shipping_address": {**address, "country": "DE"}}
    placed = ask("POST", "/checkout", order, idempotency_key="a-first-order", **mine)
    host.settle(60)
    status = ask("GET", "/orders/" + placed["order_id"], **mine)["status"]
    ask("GET", "/orders/" + placed["order_id"])
    host.settle(3700)
"""


def test_a_third_partys_application_runs_on_its_packages_alone(
    hello: Packages, tmp_path: Path
) -> None:
    found = run(
        hello,
        "hello",
        tmp_path,
        WELCOME + LOADED + "print(json.dumps([said, strange, uncompiled, len(cached)]))",
    )
    said, strange, uncompiled, loaded = found
    assert strange == []
    assert uncompiled == []
    assert loaded > 50
    started, answered, visits, refused, output, described = said
    assert (started[0], answered[0], refused[0], described[0]) == (202, 202, 422, 200)
    assert visits == [200, {"name": "ada", "count": 1}]
    assert output == {"greeting": "hello ada", "answer": "hi"}


def test_the_shop_runs_on_its_packages_alone(shop: Packages, tmp_path: Path) -> None:
    code = SHOPPING + LOADED + "print(json.dumps([said, status, strange, uncompiled]))"
    said, status, strange, uncompiled = run(shop, "orders", tmp_path, code)
    assert said == [201, 200, 200, 200, 202, 200, 401]
    assert status == "confirmed"
    assert strange == []
    assert uncompiled == []


def test_what_a_function_of_the_adapter_needs_is_in_its_packages(
    hello: Packages, tmp_path: Path
) -> None:
    code = (
        "import json, importlib\n"
        "from pathlib import Path\n"
        "folder = Path(sys.path[1], 'cartwheel_aws')\n"
        "names = sorted(f'cartwheel_aws.{p.stem}' for p in folder.glob('_[a-z]*.py'))\n"
        "for name in names: importlib.import_module(name)\n"
        "from cartwheel_aws import handler, task_answer\n"
        "from cartwheel.http import Gateway\nfrom cartwheel.runs import Invocations\n"
        "print(json.dumps([names, 'boto3' in sys.modules]))"
    )
    names, sdk = run(hello, "hello", tmp_path, code)
    assert "cartwheel_aws._handler" in names
    assert not sdk


def test_versions_and_entry_points_of_dependencies_can_be_asked_for(
    hello: Packages, tmp_path: Path
) -> None:
    code = (
        "import json\nfrom importlib.metadata import version, files\n"
        "there = all(file.locate().exists() for file in files('pydantic'))\n"
        "print(json.dumps([version('pydantic'), there]))"
    )
    found = run(hello, "hello", tmp_path, code)
    import pydantic

    assert found == [pydantic.VERSION, True]


def test_own_code_stays_small(shop: Packages, hello: Packages) -> None:
    def sources(built: Packages) -> int:
        with zipfile.ZipFile(io.BytesIO(built.shared.content)) as packed:
            return sum(e.compress_size for e in packed.infolist() if e.filename.endswith(".py"))

    # Compilers, lint and the conformance kit would add as much again.
    assert sources(hello) < 220_000
    assert sources(shop) < 300_000
    assert len(shop.shared.content) < 1_100_000
    assert shop.dependencies.unpacked + shop.shared.unpacked < 30_000_000


def test_two_builds_are_the_same_bytes_wherever_and_whenever(cache: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys\nos.umask(int(sys.argv[3], 8))\nfrom pathlib import Path\n"
        "from cartwheel_aws import packages\n"
        "files = {'hello': {'handler.py': b'from hello import app'}}\n"
        "built = packages('hello:app', Path(sys.argv[1]), files,"
        f" architecture={ARCHITECTURE!r}, python={PYTHON!r}, cache=Path(sys.argv[2]))\n"
        "print(built.dependencies.digest, built.shared.digest, built.functions['hello'].digest)\n"
    )
    build("hello:app", HELLO, cache, hello="")
    found = set()
    for name, umask, seed, stamp in (("one", "077", "1", 1e9), ("some/where", "002", "2", 1.6e9)):
        folder = tmp_path / name
        shutil.copytree(HELLO, folder, ignore=shutil.ignore_patterns("__pycache__"))
        os.utime(folder / "hello.py", (stamp, stamp))
        done = subprocess.run(
            [sys.executable, "-c", code, folder, cache, umask],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def test_a_changed_application_changes_the_shared_layer_alone(
    hello: Packages, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(HELLO, tmp_path / "hello")
    module = tmp_path / "hello" / "hello.py"
    module.write_text(module.read_text().replace("hello {", "good day {"))
    changed = build("hello:app", tmp_path / "hello", cache, hello="from hello import app\n")
    assert changed.dependencies.digest == hello.dependencies.digest
    assert changed.functions["hello"].digest == hello.functions["hello"].digest
    assert changed.shared.digest != hello.shared.digest
