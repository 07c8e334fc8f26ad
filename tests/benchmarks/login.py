"""What a failed log-in costs: somebody unknown must cost what a wrong password costs."""

from __future__ import annotations

import time

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.benchmarks._table import Figure, paired
from tests.support.shopping import Shopper, customer

SAMPLES = 200
LIMIT = 0.05
"""How far apart the medians may be: beyond it a stranger could tell who has an account."""


def unknown_and_wrong() -> Figure:
    """Compare an unknown address with a wrong password, in CPU time, tried in turn."""
    with MemoryHost(shop_app(), HostOptions(log=discard)) as host:
        customer(host.dispatcher, "ada")
        stranger = Shopper(host.dispatcher)

        def fail(email: str) -> float:
            host.clock.advance(16 * 60)  # Failures that are counted no more: nobody is locked out.
            began = time.process_time()
            body = {"email": email, "password": "not the password"}
            answer = stranger.send("POST", "/users/login", body)
            took = time.process_time() - began
            if answer.status != 401:
                raise RuntimeError(f"a failed log-in was answered {answer.status}")
            return took

        unknown, wrong = paired(
            SAMPLES, lambda: fail("eve@example.org"), lambda: fail("ada@example.org")
        )
    apart = abs(unknown - wrong) / wrong
    return Figure(
        f"log-in: unknown address against wrong password, {SAMPLES} samples each",
        f"{unknown * 1e3:.2f} ms - {wrong * 1e3:.2f} ms: {apart * 100:.1f} % apart",
        f"<= {LIMIT * 100:.0f} % apart",
        apart <= LIMIT,
    )
