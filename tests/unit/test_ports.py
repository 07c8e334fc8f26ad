"""The small promises of the ports: the hook, secrets, limits, times, and a light import."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cartwheel
from cartwheel.app import App, Service
from cartwheel.host import HostOptions
from cartwheel.log import Log
from cartwheel.ports import (
    Check,
    Delete,
    DomainError,
    InvalidWrite,
    PortCall,
    Put,
    Secret,
    Write,
    check_commit,
    compose,
    from_rfc3339,
    rfc3339,
)
from cartwheel_memory import MemoryHost, VirtualClock

T = TypeVar("T")


def test_every_call_with_an_effect_passes_the_hook_by_name() -> None:
    seen: list[str] = []

    def note(call: PortCall, invoke: Callable[[], T]) -> T:
        seen.append(str(call))
        return invoke()

    service = Service("things")
    service.collection("things")
    host = MemoryHost(App("test", services=[service]), HostOptions(hook=note))
    seen.clear()
    host.ports.store.commit("things", "p", [Put("k", {}, 0)])
    host.ports.store.get("things", "p", "k")
    host.ports.clock.now()
    host.ports.ids.new("x")
    assert seen == ["store.commit(things)", "store.get(things)"]


def test_hooks_are_composed_the_first_outermost() -> None:
    order: list[str] = []

    def hook(name: str) -> Callable[[PortCall, Callable[[], T]], T]:
        def run(call: PortCall, invoke: Callable[[], T]) -> T:
            order.append(f"{name}>")
            value = invoke()
            order.append(f"<{name}")
            return value

        return run

    both = compose(hook("a"), hook("b"))  # type: ignore[arg-type]  # each call fixes the type
    assert both(PortCall("p", "o", "s"), lambda: 7) == 7
    assert order == ["a>", "b>", "<b", "<a"]


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {secret:>20} {[secret]} { ({'s': secret}) }"
    assert "hunter2" not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    lines: list[str] = []
    Log(VirtualClock(), lines.append).info("start", key=secret)
    assert "hunter2" not in lines[0]
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")


def test_one_log_call_is_one_line_of_json() -> None:
    lines: list[str] = []
    log = Log(VirtualClock(), lines.append).bind(request="r")
    log.info("two\nlines", n=1)
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        log.failure("bad", error)
    assert [line.count("\n") for line in lines] == [0, 0]
    first, second = map(json.loads, lines)
    assert first == {
        "at": "2026-01-01T00:00:00.000Z",
        "level": "info",
        "event": "two\nlines",
        "request": "r",
        "n": 1,
    }
    assert second["error"] == "ValueError: a\nb"
    assert "Traceback" in second["stack"]


@pytest.mark.parametrize(
    ("writes", "why"),
    [
        ([], "at least one"),
        ([Put(str(i), {}, 0) for i in range(101)], "at most 100"),
        ([Put("a", {}, 0), Check("a", 0)], "twice"),
        ([Put("", {}, 0)], "1 to 512 bytes"),
        ([Put("x" * 513, {}, 0)], "1 to 512 bytes"),
        ([Put("a\nb", {}, 0)], "control character"),
        ([Put("a\ud800", {}, 0)], "surrogate"),
        ([Put("a", {"x": "y" * 300_000}, 0)], "at most 262144"),
        ([Delete("a", 0)], "expects version 0"),
        ([Put("a", {}, -1)], "expects version -1"),
    ],
)
def test_a_commit_that_some_store_cannot_take_is_refused(writes: list[Write], why: str) -> None:
    with pytest.raises(InvalidWrite, match=why):
        check_commit("c", "p", writes)


def test_a_commit_at_the_limits_is_taken() -> None:
    check_commit("c", "p", [Put("ключ/#?" + str(i), {"x": 1}, 0) for i in range(100)])


def test_times_are_written_so_that_they_sort() -> None:
    assert rfc3339(0.5) == "1970-01-01T00:00:00.500Z"
    assert from_rfc3339("2026-01-01T01:00:00+01:00") == from_rfc3339("2026-01-01T00:00:00Z")
    with pytest.raises(ValueError, match="no UTC offset"):
        from_rfc3339("2026-01-01T01:00:00")


@given(st.floats(-62135596800, 253402300799.998) | st.integers(0, 2**32))
def test_times_are_written_as_the_standard_library_writes_them(seconds: float) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    written = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert rfc3339(seconds) == written


def test_a_domain_error_has_a_code_for_workflows_and_one_for_problems() -> None:
    class OutOfStockError2(DomainError):
        """Is of this test."""

    assert OutOfStockError2.code == "OutOfStockError2"
    assert OutOfStockError2("x").problem_code == "out_of_stock_error2"


def test_ports_import_neither_pydantic_nor_pluggy() -> None:
    code = (
        "import sys, cartwheel, cartwheel.ports\n"
        "print(sorted({'pydantic', 'pluggy', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_offers_what_a_service_needs() -> None:
    assert all(getattr(cartwheel, name).__name__ == name for name in cartwheel.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Apps'"):
        cartwheel.Apps  # noqa: B018  # the look-up is what is tested
