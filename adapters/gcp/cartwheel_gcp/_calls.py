"""The steps that reach outside: calls of tasks, their retries, and what is common to all runs."""

from __future__ import annotations

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._lint_targets import GCP_CALL_SECONDS
from cartwheel_gcp._names import ERROR_OF, FAILURES, LONGEST, RUN, Fresh, field

RUNTIME = "cartwheel"
"""The function that serves the invocations which are built in."""
PATIENT = ir.RetryPolicy(attempts=5, interval=1, rate=2, cap=30, on=(ir.UNAVAILABLE, ir.TIMEOUT))
"""How registering a wait is tried: it has no effect but its own."""


def service_of(task: str) -> str:
    """Give the name of the function that serves a task."""
    return task.partition(".")[0]


def post(
    task: str, step: str, key: Json, given: Json, timeout: int | None, *, undo: bool = False
) -> JsonObject:
    """Make a call step: one invocation of the function that serves a task."""
    body: JsonObject = {
        "run_id": f"${{{RUN}.run_id}}",
        "task": task,
        "step": step,
        "key": key,
        "input": given,
        "compensation": undo,
    }
    args: JsonObject = {
        "url": "${" + RUN + ".urls" + field(service_of(task)) + "}",
        "auth": {"type": "OIDC"},
        "timeout": GCP_CALL_SECONDS if timeout is None else timeout,
        "body": body,
    }
    return {"call": "http.post", "args": args}


def error_of(raised: str, result: str) -> JsonObject:
    """Make a call step: the error of the language in what was raised."""
    return {"call": ERROR_OF, "args": {"raised": "${" + raised + "}"}, "result": result}


class Retries:
    """Makes retry blocks, and one predicate routine for each set of codes."""

    def __init__(self, fresh: Fresh) -> None:
        self._fresh = fresh
        self._predicates: dict[tuple[str, ...], str] = {}

    def block(self, policy: ir.RetryPolicy) -> JsonObject | None:
        """Give the retry block of a policy, None when there is one try only."""
        codes = tuple(code for code in policy.on if code != ir.CANCELLED)
        if policy.attempts == 1 or not codes:
            return None
        first, most = policy.delay(1), policy.delay(100)
        # A constant delay is a capped one: a multiplier of 1 is not said to be allowed.
        rate = policy.rate if policy.rate > 1 else 2
        backoff: JsonObject = {"initial_delay": first, "max_delay": most, "multiplier": rate}
        return {
            "predicate": "${" + self._predicate(codes) + "}",
            "max_retries": policy.attempts - 1,
            "backoff": backoff,
        }

    def routines(self) -> JsonObject:
        """Give the predicate routines."""
        return {name: _predicate(codes) for codes, name in self._predicates.items()}

    def _predicate(self, codes: tuple[str, ...]) -> str:
        known = ("*",) if ir.ANY_ERROR in codes else tuple(sorted(set(codes)))
        if known not in self._predicates:
            wanted = "any_error" if known == ("*",) else "_or_".join(known)
            self._predicates[known] = self._fresh(f"retry_{wanted}")
        return self._predicates[known]


def _predicate(codes: tuple[str, ...]) -> JsonObject:
    """Make the routine that says whether an error is tried again; `e` is what was raised."""
    steps: list[Json] = [{"look": error_of("e", "error")}]
    # A cancelled run stays cancelled: trying again would only ask once more.
    conditions = has_code("error", codes)
    if codes == ("*",):
        conditions = [f'error.code != "{ir.CANCELLED}"']
    if len(conditions) == 1:
        steps.append({"answer": {"return": "${" + conditions[0] + "}"}})
    else:
        arms: list[Json] = [{"condition": "${" + each + "}", "return": True} for each in conditions]
        steps += [{"is_listed": {"switch": arms}}, {"answer": {"return": False}}]
    return {"params": ["e"], "steps": steps}


def has_code(error: str, codes: tuple[str, ...]) -> list[str]:
    """Write the conditions one of which holds when an error has one of some codes.

    There is more than one only where it would be too long for an expression.
    """
    conditions: list[str] = []
    for code in codes:
        test = f'{error}.code == "{code}"'
        longer = f"{conditions[-1]} or {test}" if conditions else test
        if conditions and len(longer) <= LONGEST:
            conditions[-1] = longer
        else:
            conditions.append(test)
    return conditions


def language_error() -> JsonObject:
    """Make the routine that gives the error of the language for whatever was raised.

    The workflow's own errors are maps already; a function answers with a problem that holds one;
    what else the engine raises has tags.
    """

    def error(code: str, message: str, *, retryable: bool = False) -> Json:
        return {"code": code, "message": message, "details": None, "retryable": retryable}

    def tagged(*tags: str) -> str:
        return "${" + " or ".join(f'"{tag}" in raised.tags' for tag in tags) + "}"

    busy = " or ".join(f"raised.code == {status}" for status in (429, 502, 503, 504))
    first: list[Json] = [
        {"condition": '${"retryable" in raised}', "return": "${raised}"},
        {"condition": '${"body" in raised}', "next": "answered"},
        {"condition": '${not ("tags" in raised)}', "next": "unexpected"},
        {
            "condition": tagged("TimeoutError"),
            "return": error(ir.TIMEOUT, "no answer in time", retryable=True),
        },
        {
            "condition": tagged("ConnectionError", "ConnectionFailedError"),
            "return": error(ir.UNAVAILABLE, "no connection", retryable=True),
        },
    ]
    answered: list[Json] = [
        {"condition": '${get_type(raised.body) == "map"}', "next": "problem"},
        {"condition": "${" + busy + "}", "next": "unavailable"},
    ]
    problem: list[Json] = [
        {"condition": '${"retryable" in raised.body}', "return": "${raised.body}"},
        {"condition": "${" + busy + "}", "next": "unavailable"},
    ]
    no = error(ir.UNAVAILABLE, '${"status " + string(raised.code)}', retryable=True)
    bug = error(ir.UNEXPECTED, '${default(map.get(raised, "message"), "an error without text")}')
    return {
        "params": ["raised"],
        "steps": [
            {"what": {"switch": first, "next": "unexpected"}},
            {"answered": {"switch": answered, "next": "unexpected"}},
            {"problem": {"switch": problem, "next": "unexpected"}},
            {"unavailable": {"return": no}},
            {"unexpected": {"return": bug}},
        ],
    }


def document(status: str, output: Json, error: Json, *, undoes: bool) -> JsonObject:
    """Make the document with which a run ends."""
    failures: Json = "${" + FAILURES + "}" if undoes else []
    return {
        "status": status,
        "output": output,
        "error": error,
        "compensation_failures": failures,
    }
