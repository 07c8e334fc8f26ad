"""The pytest plugin: fixtures that open applications in memory; it loads nothing until one is used.

`memory_host` opens any application; `faults` and `recorder` are hooks on the port calls of what a
test opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.host import Host
    from cartwheel.ports import Hook
    from cartwheel.testing.faults import Faults, Recorder

# The kit's own assertions explain themselves as a test module's do.
pytest.register_assert_rewrite(
    "cartwheel.testing._base",
    "cartwheel.testing._deadletters",
    "cartwheel.testing._durability",
    "cartwheel.testing._eventbus",
    "cartwheel.testing._httpgateway",
    "cartwheel.testing._mailer",
    "cartwheel.testing._paymentgateway",
    "cartwheel.testing._queue",
    "cartwheel.testing._runtime_case",
    "cartwheel.testing._runtime_records",
    "cartwheel.testing._runtime_signals",
    "cartwheel.testing._scheduler",
    "cartwheel.testing._secrets",
    "cartwheel.testing._store",
    "cartwheel.testing._store_indexes",
    "cartwheel.testing._store_races",
    "cartwheel.testing._store_scans",
    "cartwheel.testing._time",
    "cartwheel.testing._workflowruntime",
    "cartwheel.testing.corpus",
)


@pytest.fixture
def faults() -> Faults:
    """Give a hook that fails the port calls it is told to."""
    from cartwheel.testing.faults import Faults

    return Faults()


@pytest.fixture
def recorder() -> Recorder:
    """Give a hook that remembers all port calls."""
    from cartwheel.testing.faults import Recorder

    return Recorder()


@pytest.fixture
def memory_host(request: pytest.FixtureRequest) -> Iterator[Callable[[App], Host]]:
    """Give a function that opens an application on the memory adapter, on an empty disk each time.

    Where the test uses `recorder` or `faults` too, they stand around every port call. A function
    that touches what its service does not declare in its `Uses` is refused.
    """
    from cartwheel.access import enforce
    from cartwheel.host import HostOptions
    from cartwheel.plugins import load_adapter
    from cartwheel.ports import compose

    adapter, hook = load_adapter("memory"), hook_of(request)
    hooks = () if hook is None else (hook,)
    with ExitStack() as opened:
        yield lambda app: opened.enter_context(
            adapter.open(app, HostOptions(hook=compose(*hooks, enforce(app))))
        )


def hook_of(request: pytest.FixtureRequest) -> Hook | None:
    """Give the hook of the fixtures that a test uses: the recorder outside, faults inside it."""
    names = [name for name in ("recorder", "faults") if name in request.fixturenames]
    if not names:
        return None
    from cartwheel.ports import compose

    return compose(*(request.getfixturevalue(name) for name in names))
