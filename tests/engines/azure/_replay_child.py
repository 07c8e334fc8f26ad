"""Replays orchestrators on azure-functions-durable 1.7; runs in that SDK's own environment.

Speaks lines of JSON over stdin and stdout. `{"load": folder, "module": name}` imports a compiled
module. `{"run": module, "context": {...}}` plays one turn and answers `{"state": {...}}`. Every
turn is played twice, and a difference is an error: replayed code must be deterministic.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import warnings
from typing import Any

MARK = "$OutOfProcData$:"
"""Before the state of a failed orchestration in the SDK's exception."""


def main() -> None:
    """Answer requests until stdin ends."""
    durable: Any = importlib.import_module("azure.durable_functions")
    # The SDK warns of its own loose decoder; a cancelled timer's event is a "duplicate" to it.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    handlers: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "load" in request:
                sys.path.insert(0, request["load"])
                module: Any = importlib.import_module(request["module"])
                sys.path.remove(request["load"])
                handlers[request["module"]] = registered(durable, module)
                answer = {"name": module.NAME}
            else:
                handle, body = handlers[request["run"]], json.dumps(request["context"])
                first, second = turn(handle, body), turn(handle, body)
                if first != second:
                    raise AssertionError(f"not deterministic: {first} then {second}")
                answer = {"state": json.loads(first)}
        except Exception as error:  # noqa: BLE001  # the parent reports it
            answer = {"failed": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def registered(durable: Any, module: Any) -> Any:
    """Register an orchestrator as an app does, and return what the worker would call."""
    app = durable.DFApp()
    trigger = app.orchestration_trigger(context_name="context")
    app.function_name(module.NAME)(trigger(module.orchestrator))
    found = {each.get_function_name(): each for each in app.get_functions()}
    return found[module.NAME].get_user_function()


def turn(handle: Any, body: str) -> str:
    """Play one turn; a failed orchestration's state travels in an exception, as the host has it."""
    try:
        return str(handle(body))
    except Exception as error:
        text = str(error)
        if MARK not in text:
            raise
        return text.partition(MARK)[2]


if __name__ == "__main__":
    main()
