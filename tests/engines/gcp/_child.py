"""The process that runs workflows-emulator: a job a line in, what came of it a line out.

Every job is done in a fork of its own, so that corrections can be left out one by one, and nothing
of a run is left to the next.

    {"source": {...}, "input": {...}, "act": url, "at": [seconds], "now": seconds,
     "without": [corrections], "real": whether sleeps take their time, "patience": seconds}
"""

from __future__ import annotations

import copy
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from typing import Any

from tests.engines.gcp._timeline import Timeline, WaitsForEver
from tests.engines.gcp.corrections import correct, plain

SECONDS = 20
"""Real seconds after which a job is given up."""
START = 1_767_225_600.0
"""The virtual time at which every run begins: 2026-01-01T00:00:00Z."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one workflow and say how it ended."""
    main: Any = importlib.import_module("workflows_emulator.main")
    timeline = Timeline()
    timeline.now = float(job.get("now", 0.0))
    if not job.get("real"):
        virtual_time(timeline)
    over_http(timeline)
    correct(timeline, tuple(job.get("without", ())))
    steps = count_steps(main)
    for seconds in job.get("at", ()):
        timeline.at(timeline.now + seconds, lambda: act(job["act"], timeline))
    source = copy.deepcopy(job["source"])
    params = source["main"].get("params") or []
    given = {params[0]: job.get("input")} if params else {}
    ended: dict[str, Any]
    try:
        ended = {"result": plain(main.execute_workflow(source, given))}
    except main.WorkflowError as error:
        ended = {"error": plain(error.payload)}
    except WaitsForEver:
        ended = {"broken": "the run waits for ever"}
    except Exception as error:  # noqa: BLE001  # whatever escapes the emulator is a finding
        ended = {"broken": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    if timeline.stuck:
        ended = {"broken": "the run waits for ever"}
    return {**ended, "now": timeline.now, "steps": steps[0]}


def count_steps(main: Any) -> list[int]:  # a module
    """Count the named steps that are run."""
    count = [0]
    before = main.get_step

    def get_step(steps: Any, step_id: Any) -> Any:
        found = before(steps, step_id)
        count[0] += found[0] is not None
        return found

    main.get_step = get_step
    return count


def virtual_time(timeline: Timeline) -> None:
    """Let sleeping take no time; not a correction, but what makes long runs testable."""
    main: Any = importlib.import_module("workflows_emulator.main")
    sys_utils: Any = importlib.import_module("workflows_emulator.lib.sys_utils")

    class Time:
        sleep = staticmethod(timeline.sleep)
        time = staticmethod(lambda: START + timeline.now)

    main.sleep = timeline.sleep
    sys_utils.time = Time
    sys_utils.now = Time.time


def over_http(timeline: Timeline) -> None:
    """Tell the called server the time, and let its answer take as long as it says."""
    requests: Any = importlib.import_module("requests")
    sessions: Any = importlib.import_module("google.auth.transport.requests")
    pool = requests.Session()

    def request(self: Any, method: str, url: str, **given: Any) -> Any:
        timeline.sleep(0)
        timeout = given.get("timeout", 300)
        headers = {**(given.pop("headers", None) or {}), "X-Now": str(timeline.now)}
        answer = pool.request(method, url, headers=headers, **given)
        takes = float(answer.headers.get("X-Seconds", 0))
        if takes:
            timeline.sleep(min(takes, timeout))
            pool.post(answer.headers["X-Ended"], headers={"X-Now": str(timeline.now)}, timeout=5)
        if takes and takes >= timeout:
            raise requests.Timeout(f"no answer in {timeout} s")
        return answer

    sessions.AuthorizedSession.request = request


def act(url: str, timeline: Timeline) -> None:
    """Let the world do its next action."""
    requests: Any = importlib.import_module("requests")
    requests.post(url, headers={"X-Now": str(timeline.now)}, timeout=5)


def serve() -> None:
    """Do jobs until there are no more."""
    logging.disable(logging.CRITICAL)
    for module in ("requests", "workflows_emulator.main", "google.auth.transport.requests"):
        importlib.import_module(module)
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            job = json.loads(line)
            signal.alarm(job.get("patience", SECONDS))
            try:
                print(json.dumps(run(job)), flush=True)
            except BaseException:  # noqa: BLE001  # the driver must get its line
                print(json.dumps({"broken": traceback.format_exc()}), flush=True)
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status:
            print(json.dumps({"broken": f"ended by signal {status}"}), flush=True)


if __name__ == "__main__":
    serve()
