"""Where workflows-emulator 1.10.0 does other than Google documents, and how that is put right.

Only what compiled workflows need is corrected, each with a probe in `probes.py` that shows the
fault in the emulator alone. Everything else of the emulator (its reading of steps, `next`, try,
switch, subworkflows, calls, results, expressions) stays as it is: that judges the compiler.

Loaded by the emulator's own environment, in a child process.
"""

from __future__ import annotations

import copy
import importlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from tests.engines.gcp._timeline import Timeline


def _module(name: str) -> Any:  # its types are not known here
    return importlib.import_module(f"workflows_emulator.{name}")


@dataclass(frozen=True)
class Correction:
    """Is one fault, what the documentation says, and how it is put right."""

    name: str
    fault: str
    documented: str
    apply: Callable[[Timeline], None]


def plain(value: Any) -> Any:  # any JSON, in the emulator's own types
    """Give a value in plain dicts and lists: the emulator's own kind of dict has other ideas."""
    if isinstance(value, dict):
        return {key: plain(dict.__getitem__(value, key)) for key in dict.keys(value)}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def constants(timeline: Timeline) -> None:
    """Know null, true and false in expressions."""
    _module("render").STANDARD_LIBRARY.update({"null": None, "true": True, "false": False})


WHOLE = re.compile(r"\$\{(.*)\}\s*", re.DOTALL)


def whole_values(timeline: Timeline) -> None:
    """Give the value of an expression that is all of a string as it is."""
    render = _module("render")
    before = render.render_str

    def render_str(value: Any, context: dict[str, Any]) -> Any:
        whole = WHOLE.fullmatch(value) if isinstance(value, str) else None
        if whole is None:
            return before(value, context)
        return plain(render.run_code(whole.group(1), context))

    render.render_str = render_str


def map_type(timeline: Timeline) -> None:
    """Know the type of a map that lies in a variable."""
    render = _module("render")
    before = render.STANDARD_LIBRARY["get_type"]

    def get_type(value: Any) -> str:
        return "map" if isinstance(value, dict) else str(before(value))

    render.STANDARD_LIBRARY["get_type"] = get_type


def locks(timeline: Timeline) -> None:
    """Release the lock of an assignment that failed."""
    main = _module("main")
    before = main.StepAssign.execute

    def execute(self: Any) -> Any:
        try:
            return before(self)
        except BaseException:
            main.LOCK.release()
            raise

    main.StepAssign.execute = execute


def first_condition(timeline: Timeline) -> None:
    """Leave a switch after the first condition that holds."""
    main = _module("main")

    def execute(self: Any) -> Any:
        for each in self.config["switch"]:
            if main.render_config(each["condition"], self.context) is True:
                step = {key: value for key, value in each.items() if key != "condition"}
                context, next_step, value = main.execute_step(self.step_id, step, self.context)
                if value is None and next_step is None:
                    next_step = self.config.get("next")
                return context, next_step, value
        return self.context, self.config.get("next"), None

    main.StepSwitch.execute = execute


def retries(timeline: Timeline) -> None:
    """Wait `initial_delay` first, never longer than `max_delay`, and go on trying then."""
    main = _module("main")

    def execute(self: Any) -> Any:
        step, context = self.config, self.context
        retry = main.render_config(step["retry"], context)
        backoff = retry.get("backoff", {})
        delay, most = backoff.get("initial_delay", 1), backoff.get("max_delay", 60)
        tries = retry.get("max_retries", 0) + 1
        for number in range(1, tries + 1):
            try:
                return main.execute_step(self.step_id, step["try"], context)
            except main.WorkflowError as error:
                failure = error
            predicate = retry.get("predicate")
            if number == tries or not (predicate is None or _holds(predicate, failure, context)):
                break
            main.sleep(min(delay, most))
            delay *= backoff.get("multiplier", 1)
        if "except" not in step:
            raise failure
        context[step["except"]["as"]] = plain(failure.payload)
        return main.execute_steps_list(step["except"]["steps"], context)

    def _holds(predicate: Any, failure: Any, context: Any) -> bool:
        given = {predicate["params"][0]: plain(failure.payload)}
        known = main.keep_only_subworkflows(context)
        return bool(main.execute_subworkflow(predicate, given, known))

    main.StepRetry.execute = execute


class Inner(dict[str, Any]):
    """Is the variables of a loop or a branch, which sees those around it.

    What it may not set is refused, as Workflows refuses it at deployment. `shared` of None is a
    loop, which may set whatever there is around it.
    """

    def __init__(self, outer: dict[str, Any], shared: frozenset[str] | None) -> None:
        super().__init__()
        self.outer = outer
        self.shared = shared

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name) if super().__contains__(name) else self.outer[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if super().__contains__(name) or name not in self.outer:
            super().__setitem__(name, value)
        elif self.shared is None or name in self.shared:
            self.outer[name] = value
        elif self.outer[name] != value:
            raise ValueError(f"{name} belongs to the steps around and is not shared")

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.outer

    def __iter__(self) -> Any:
        return iter({**self.outer, **dict(super().items())})

    def keys(self) -> Any:
        return list(self)

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def update(self, *others: Any, **more: Any) -> None:
        for name, value in [pair for each in (*others, more) for pair in each.items()]:
            self[name] = value

    def own(self, name: str, value: Any) -> None:
        """Make a variable here, whatever there is around."""
        super().__setitem__(name, value)

    def __deepcopy__(self, memo: Any) -> dict[str, Any]:
        return {name: copy.deepcopy(value, memo) for name, value in self.items()}


def loops(timeline: Timeline) -> None:
    """Keep what a loop sets outside itself even when it ends by an error."""
    main = _module("main")

    def execute(self: Any) -> Any:
        loop = self.config["for"]
        outer = self.context
        for index, value in enumerate(list(self.get_iterator())):
            context = Inner(outer, None)
            context.own(loop["value"], plain(value))
            if "index" in loop:
                context.own(loop["index"], index)
            _, next_step, result = main.execute_steps_list(loop["steps"], context)
            if next_step == "break":
                break
            if result is not None or (next_step is not None and next_step != "continue"):
                return outer, next_step, result
        return outer, self.config.get("next"), None

    main.StepFor.execute = execute


def branches(timeline: Timeline) -> None:
    """Give every branch variables of its own beside the shared ones, and keep to the limit."""
    main = _module("main")

    def execute(self: Any) -> Any:
        parallel = self.config["parallel"]
        shared = frozenset(parallel.get("shared", ()))
        outer = self.context
        begun: list[tuple[dict[str, Any], Any]] = []
        if "for" in parallel:
            loop = parallel["for"]
            values = list(main.StepFor(self.step_id, parallel, outer).get_iterator())
            for index, value in enumerate(values):
                context = Inner(outer, shared)
                context.own(loop["value"], plain(value))
                if "index" in loop:
                    context.own(loop["index"], index)
                begun.append((context, loop["steps"]))
        else:
            for branch in parallel["branches"]:
                steps = next(iter(branch.values()))["steps"]
                begun.append((Inner(outer, shared), steps))
        failures: dict[str, Any] = {}

        def work(number: int, context: dict[str, Any], steps: Any) -> None:
            try:
                main.execute_steps_list(steps, context)
            except main.WorkflowError as error:
                failures[str(number)] = error

        limit = parallel.get("concurrency_limit")
        works = [partial(work, number, *each) for number, each in enumerate(begun)]
        timeline.together(works, limit)
        self.check_raise_results(failures)
        return outer, self.config.get("next"), None

    main.StepParallel.execute = execute


def sleeps(timeline: Timeline) -> None:
    """Sleep until any RFC 3339 time, under the argument's documented name; the past is over."""
    sys_utils = _module("lib.sys_utils")

    def sleep_until(time: str) -> None:
        try:
            until = datetime.fromisoformat(time)
        except ValueError as error:
            raise ValueError(f"ValueError: {time!r} is not a time") from error
        if until.tzinfo is None:
            raise ValueError(f"ValueError: {time!r} has no time zone")
        sys_utils.time.sleep(until.timestamp() - sys_utils.now())

    sys_utils.sleep_until = sleep_until


def requests_and_errors(timeline: Timeline) -> None:
    """Take OIDC, send any JSON, and raise refused connections and timeouts as errors."""
    http = _module("lib.http_utils")
    requests = importlib.import_module("requests")
    error_type = _module("utils").WorkflowError
    before = http.request

    def request(method: str, url: str, **given: Any) -> Any:
        auth = given.pop("auth", None)
        headers = dict(given.pop("headers", {}))
        if auth and auth.get("type") == "OIDC":
            headers["Authorization"] = f"Bearer oidc-of-{auth.get('audience', url)}"
        body = given.pop("body", None)
        if isinstance(body, dict | list):
            headers["Content-Type"] = "application/json"
            body = json.dumps(plain(body)).encode("utf-8")
        try:
            return before(method, url, body=body, headers=headers, **given)
        except requests.Timeout as error:
            raise error_type(message=str(error), tags=["TimeoutError", "OSError"]) from error
        except requests.ConnectionError as error:
            tags = ["ConnectionFailedError", "ConnectionError", "OSError"]
            raise error_type(message=str(error), tags=tags) from error

    http.request = request


def callbacks(timeline: Timeline) -> None:
    """Have callback endpoints, served over HTTP on loopback."""
    from tests.engines.gcp._callbacks import Callbacks

    render = _module("render")
    render.STANDARD_LIBRARY["events"] = Callbacks(timeline, _module("utils").WorkflowError)


CORRECTIONS = (
    Correction(
        "constants",
        "null, true and false in an expression are unknown names",
        "they are constants (syntax/datatypes)",
        constants,
    ),
    Correction(
        "whole_values",
        "a value is written as text and read as YAML again: null becomes 'None', '}' ends it",
        "an expression that is all of a string gives its value (syntax/expressions)",
        whole_values,
    ),
    Correction(
        "map_type",
        "get_type of a map fails",
        "it is 'map' (stdlib/expression-helpers)",
        map_type,
    ),
    Correction(
        "locks",
        "after an error in an assignment the next one hangs",
        "an error in a step is caught like any other (syntax/catching-errors)",
        locks,
    ),
    Correction(
        "first_condition",
        "conditions after the first that held are tried too, when it holds steps",
        "the first match found is executed (syntax/conditions)",
        first_condition,
    ),
    Correction(
        "retries",
        "initial_delay is not read, and tries end when the delay has reached max_delay",
        "the delay grows from initial_delay to max_delay (syntax/retrying)",
        retries,
    ),
    Correction(
        "loops",
        "what a loop has set is forgotten when an error ends it",
        "a variable of the scope around keeps its value (syntax/variables)",
        loops,
    ),
    Correction(
        "branches",
        "branches and iterations share all variables, and concurrency_limit is not kept",
        "a variable made in a branch is local to it (syntax/parallel-steps)",
        branches,
    ),
    Correction(
        "sleeps",
        "sys.sleep_until takes one form of time only, under another name, and fails for the past",
        "it takes an ISO 8601 time (stdlib/sys/sleep_until)",
        sleeps,
    ),
    Correction(
        "requests_and_errors",
        "OIDC is refused; refused connections and timeouts pass every except",
        "they are errors with tags (syntax/error-types)",
        requests_and_errors,
    ),
    Correction(
        "callbacks",
        "there is no events module",
        "events.create_callback_endpoint and events.await_callback (stdlib/events)",
        callbacks,
    ),
)


def correct(timeline: Timeline, without: tuple[str, ...] = ()) -> None:
    """Apply the corrections, all but some."""
    main, render = _module("main"), _module("render")
    for correction in CORRECTIONS:
        if correction.name not in without:
            correction.apply(timeline)
    main.render_config, main.run_code = render.render_config, render.run_code
