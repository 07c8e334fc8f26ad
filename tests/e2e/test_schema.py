"""The API against its own description, by schemathesis: every operation, every check.

Cases come from /openapi.json, so a new route is covered by itself. In memory they go through WSGI;
on local over a socket to a real server.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, BaseSchema, Case, CheckContext, GenerationMode, Response
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)

from cartwheel.host import Host, HostOptions
from cartwheel.log import discard
from cartwheel_local import LocalHost, serve
from cartwheel_memory import MemoryHost
from cartwheel_workflows.shop import shop_app
from tests.support import things
from tests.support.shopping import Shopper, known, product
from tests.support.wsgi import Wsgi

SOAK = bool(os.environ.get("CARTWHEEL_SOAK"))
EXAMPLES = 500 if SOAK else 30
"""Cases of the fuzzing phase for each operation; those of the coverage phase come on top."""
WELL_FORMED = 40
"""Well-formed cases of each operation, of which at least one must be answered well."""
ON_LOCAL = 500 if SOAK else 4
"""Cases for each operation and kind, well-formed and not, that a real server gets."""
NO_SERVER_ERROR = 500
AnyCase: TypeAlias = "Case[Any]"

BEYOND_A_SCHEMA = {
    # JSON Schema takes 1.0 for an integer; money must not.
    "invalid_json": "is not written as an integer",
    "bad_request": "cursor|X-Cart-Token|days that exist|a report spans|webhook|control character",
    "precondition_failed": "",
    "precondition_required": "",
    "idempotency_key_reused": "",
    "webhook_refused": "",
    "reset_token_invalid": "",
    "payment_declined": "",
}
"""Refusals of what a schema allows: the code, and what the detail says when it has many rules."""
AT_HOME = {401, 403, 404, 409, 429}
"""Answers to well-formed requests that depend on what there is, and on who asks."""

NO_VALUE: tuple[object, ...] = (None, [], {})
ALSO_AN_ID = re.compile(r"/users/[a-z-]+")
"""Paths that are an id of /users/{user_id} too: they take, and say so, what that takes."""

UNASKED = frozenset({"GET /users/me", "DELETE /users/me"})
"""Operations without any input: there is one case of each, so what it needs must be there."""
UNSIGNED = frozenset({"POST /payments/webhook"})
"""Operations that no case can get right: schemathesis does not know how to sign a body."""

counts: Counter[str] = Counter()
"""What was answered, `memory 2xx`, and how many cases there were, `memory cases`."""
answered_well: set[str] = set()
"""Operations with an answer that says more than no: its shape has been checked, too."""
host = MemoryHost(shop_app(), HostOptions(log=discard))
schema = schemathesis.openapi.from_wsgi("/openapi.json", Wsgi(host.dispatcher))
_numbers = itertools.count(1)


def operations_of(described: BaseSchema) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """Give the operations; one that can't be read raises."""
    for operation in described.get_all_operations():
        assert isinstance(operation, Ok), operation
        yield operation.ok()


def refusals_are_explained(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Let a well-formed request be refused only for what no schema can say."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    status = response.status_code
    if status < 400 or status in AT_HOME or status >= NO_SERVER_ERROR:
        return
    problem = response.json()
    words = BEYOND_A_SCHEMA.get(problem["code"])
    assert words is not None, problem
    assert re.search(words, problem["detail"]), problem


def make_ready(shop: Host, case: AnyCase) -> Shopper:
    """Give a caller of the case's own; of what a well-formed case names every other is there."""
    number = next(_numbers)
    shopper = known(shop.dispatcher, f"usr_{number}", "admin")
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return shopper
    if case.path in {"/orders", "/checkout"}:
        shopper.fill_cart((product(shop.ports, f"prd_{number}", stock=5), 1))
    # By what the case says: the same one again must find the same things.
    elif len(f"{case.path_parameters}{case.body!r}") % 2 or case.operation.label in UNASKED:
        things.provide(shop, case, shopper, number)
    return shopper


def ask(shop: Host, case: AnyCase) -> None:
    """Send a case and hold the answer to every check."""
    shopper = make_ready(shop, case)
    # A parameter without a value is left out of the URL: what was malformed is gone by then.
    gone = (
        [negative_data_rejection] if any(v in NO_VALUE for v in (case.query or {}).values()) else []
    )
    two_paths = [allow_header_conformance] if ALSO_AN_ID.fullmatch(case.path) else []
    response = case.call_and_validate(
        headers={"Authorization": f"Bearer {shopper.token}"},
        additional_checks=[refusals_are_explained],
        excluded_checks=[positive_data_acceptance, *two_paths, *gone],
    )
    where = "memory" if shop is host else "local"
    counts[f"{where} {response.status_code // 100}xx"] += 1
    counts[f"{where} cases"] += 1
    if response.status_code < 300:
        answered_well.add(case.operation.label)


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    """Print what was counted in the end."""
    yield
    print("\n".join(f"{count:6} {what}" for what, count in sorted(counts.items())))


@pytest.mark.timeout(900)
@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_operation_keeps_to_its_description(case: AnyCase) -> None:
    ask(host, case)


@pytest.mark.timeout(900)
def test_every_operation_gives_an_answer_of_the_shape_it_describes() -> None:
    answered_well.clear()
    operations = list(operations_of(schema))
    for operation in operations:

        @settings(
            max_examples=WELL_FORMED,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def play(case: AnyCase) -> None:
            host.clock.advance(60)  # So that failed log-ins, of other tests too, are forgotten.
            ask(host, case)

        play()
    assert {operation.label for operation in operations} - answered_well == UNSIGNED


def test_every_route_is_an_operation_of_the_description() -> None:
    described = {f"{one.method.upper()} {one.path}" for one in operations_of(schema)}
    assert described == {f"{route.method} {route.path}" for route in shop_app().routes}


@pytest.mark.timeout(1800)
def test_a_real_server_keeps_to_its_description(tmp_path: Path) -> None:
    with LocalHost(shop_app(), HostOptions(data=tmp_path, log=discard)) as local:
        stop, listening, urls = threading.Event(), threading.Event(), []

        def ready(url: str) -> None:
            urls.append(url)
            listening.set()

        server = threading.Thread(
            target=serve, args=(local,), kwargs={"ready": ready, "stop": stop}
        )
        server.start()
        try:
            assert listening.wait(10)
            found = schemathesis.openapi.from_url(f"{urls[0]}/openapi.json")
            operations = list(operations_of(found))
            for operation in operations:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                    @settings(
                        max_examples=ON_LOCAL,
                        deadline=None,
                        database=None,
                        suppress_health_check=list(HealthCheck),
                    )
                    @given(case=operation.as_strategy(generation_mode=mode))
                    def play(case: AnyCase) -> None:
                        ask(local, case)

                    try:
                        play()
                    except Unsatisfiable:  # An operation without input has no malformed case.
                        assert mode is GenerationMode.NEGATIVE
        finally:
            stop.set()
            server.join()
    assert counts["local cases"] >= (len(operations) - 3) * ON_LOCAL
    assert counts["local 2xx"] > 0
    assert counts["local 5xx"] == 0
