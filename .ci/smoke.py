"""Serves one request of a tiny application from the installed wheel, without any extra."""

import importlib
import importlib.util
import sys
import sysconfig
from pathlib import Path

from pydantic import BaseModel

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.http import ANYONE, Request
from cartwheel.plugins import find_adapters, load_adapter

PACKAGES = (
    "cartwheel",
    "cartwheel_shop",
    "cartwheel_workflows",
    "cartwheel_memory",
    "cartwheel_outside",
    "shopctl",
)


class Greeting(BaseModel):
    """Is what the route answers."""

    text: str


hello = Service("hello")


@hello.route("GET", "/hello/{name}", permission=ANYONE)
def greet(ctx: Context, name: str) -> Greeting:
    """Greet somebody."""
    return Greeting(text=f"hello {name}")


def check(claim: str, holds: bool) -> None:
    """Print a claim that holds; end the program with one that does not."""
    if not holds:
        raise SystemExit(f"smoke: FAILED: {claim}")
    sys.stdout.write(f"smoke: {claim}\n")


def main() -> None:
    """Check that the wheel is whole and that the core works on its own."""
    site = Path(sysconfig.get_paths()["purelib"])
    for name in PACKAGES:
        where = Path(importlib.import_module(name).__file__ or "").parent
        check(f"{name} is imported from the wheel", where == site / name)
        check(f"{name} has its types", (where / "py.typed").is_file())
    check("no extra is installed", importlib.util.find_spec("uvicorn") is None)
    check("no tests came along", importlib.util.find_spec("tests") is None)

    found = {adapter.name: adapter.error for adapter in find_adapters()}
    check("both adapters are found", {"memory", "local"} <= found.keys())
    check("the memory adapter loads", found["memory"] is None)

    with load_adapter("memory").open(App("smoke", services=[hello]), HostOptions()) as host:
        answer = host.dispatcher.http(Request("GET", "/hello/ada"))
    check("a route answers 200", answer.status == 200)
    check("it answers what the handler returned", answer.json() == {"text": "hello ada"})


if __name__ == "__main__":
    main()
