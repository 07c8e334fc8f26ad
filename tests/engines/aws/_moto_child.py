"""Starts moto's server with waits that can be scaled, in its own environment.

moto has no setting for how long a second lasts. `MOTO_WAIT_SCALE` is one: it shortens Wait states
and the pauses before retries, as ministack's SFN_WAIT_SCALE does. And a JSON path is parsed once,
not each time that it is followed. Nothing else is changed.
"""

from __future__ import annotations

import functools
import os
import sys
import time
import types
from importlib import import_module

ASL = "moto.stepfunctions.parser.asl"
retrier_decl = import_module(f"{ASL}.component.common.retry.retrier_decl")
wait_function = import_module(f"{ASL}.component.state.wait.wait_function.wait_function")
result_path = import_module(f"{ASL}.component.common.path.result_path")
json_path = import_module(f"{ASL}.utils.json_path")
SCALE = float(os.environ.get("MOTO_WAIT_SCALE", "1"))
waits = wait_function.WaitFunction._wait_interval


def paused(seconds: float) -> None:
    """Sleep for a scaled time."""
    time.sleep(seconds * SCALE)


def waited(self: object, env: object, wait_seconds: float) -> None:
    """Wait for a scaled time."""
    waits(self, env, wait_seconds * SCALE)


for module in (json_path, result_path):
    vars(module)["parse"] = functools.lru_cache(4096)(vars(module)["parse"])
vars(retrier_decl)["time"] = types.SimpleNamespace(sleep=paused)
wait_function.WaitFunction._wait_interval = waited

if __name__ == "__main__":
    import_module("moto.server").main(sys.argv[1:])
