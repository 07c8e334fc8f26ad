"""Starts moto's server with waits that can be scaled, in its own environment.

moto has no setting for how long a second lasts. `MOTO_WAIT_SCALE` is one: it shortens Wait states
and the pauses before retries, as ministack's SFN_WAIT_SCALE does. And a JSON path is parsed once, not each
time that it is followed. Nothing else is changed.
"""

from __future__ import annotations

import functools
import os
import sys
import time
import types

from moto.server import main
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.utils import json_path

SCALE = float(os.environ.get("MOTO_WAIT_SCALE", "1"))
waits = wait_function.WaitFunction._wait_interval


def paused(seconds: float) -> None:
    """Sleep for a scaled time."""
    time.sleep(seconds * SCALE)


def waited(self: object, env: object, wait_seconds: float) -> None:
    """Wait for a scaled time."""
    waits(self, env, wait_seconds * SCALE)


json_path.parse = functools.lru_cache(4096)(json_path.parse)
result_path.parse = functools.lru_cache(4096)(result_path.parse)
retrier_decl.time = types.SimpleNamespace(sleep=paused)
wait_function.WaitFunction._wait_interval = waited

if __name__ == "__main__":
    main(sys.argv[1:])
