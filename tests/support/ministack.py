"""Starts ministack, the server that stands in for AWS in tests."""

from __future__ import annotations

from pathlib import Path

from tests.engines.aws import setup
from tests.engines.aws._processes import ACCOUNT, Process, free_port, start
from tests.support.engines import require

HOW = "run `make engines`, which installs it under .engines"
_CHILD = Path(setup.__file__).parent / "_ministack_child.py"


def start_ministack(
    second: float = 1.0,
    *,
    corrected: bool = True,
    functions: bool = False,
    asked: Path | None = None,
) -> Process:
    """Start ministack on a free loopback port; a second of a workflow's wait takes `second`.

    It runs with the corrections of its child script unless they are not wanted. With `functions`
    it runs packages of functions, under AWS's own runtime client. With `asked`, a file, callers are
    held to their policies, and what they asked for is written there.
    """
    require("ministack", setup.is_ready(setup.MINISTACK), HOW)
    port = free_port()
    env = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # Without it a function would call the real AWS.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",
        "SFN_WAIT_SCALE": str(second),
    }
    if functions:
        require("awslambdaric", setup.is_ready(setup.FUNCTIONS), HOW)
        env["RUNTIME_CLIENT"] = str(setup.python(setup.FUNCTIONS))
    if asked is not None:
        env |= {"AUTH": "true", "ASKED": str(asked)}
    child = [_CHILD] if corrected else ["-m", "ministack.app"]
    return start([setup.python(setup.MINISTACK), *child], port, "/_ministack/health", env)
