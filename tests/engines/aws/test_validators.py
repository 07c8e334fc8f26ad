"""What is generated passes two public validators and our own checks; what is faulty does not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from cartwheel.ports import JsonObject
from cartwheel.testing.corpus import PROGRAMS, Program
from cartwheel.testing.randomly import programs
from cartwheel.workflow import Compiled
from cartwheel_aws import check, compile_workflow
from cartwheel_workflows.cancel_order import cancel_order
from cartwheel_workflows.checkout import checkout
from tests.engines.aws import setup
from tests.engines.aws.validators import deployed, judged, node
from tests.support.engines import require

RANDOM = 1_000
SHOP = (checkout.ir, cancel_order.ir)
HOW = "run `make engines`; it needs Node.js 18 or later"


@pytest.fixture(scope="module")
def validators() -> None:
    """Need the validators."""
    require("asl validators", setup.is_ready(setup.VALIDATORS) and node() is not None, HOW)


@pytest.mark.usefixtures("validators")
def test_the_corpus_and_the_shop_pass_the_validators() -> None:
    made = [compile_workflow(each.definition.ir) for each in PROGRAMS]
    made += [compile_workflow(each) for each in SHOP]
    found = judged(map(deployed, made))
    assert len(found) == len(PROGRAMS) + len(SHOP)
    assert [(one.name, what) for one, what in zip(made, found, strict=True) if what] == []


@pytest.mark.usefixtures("validators")
@pytest.mark.timeout(600)
def test_random_programs_pass_the_validators_and_our_checks() -> None:
    made: list[Compiled] = []

    @settings(
        max_examples=RANDOM,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(timers=True))
    def collect(program: Program) -> None:
        made.append(compile_workflow(program.definition.ir))

    collect()
    assert len(made) >= RANDOM
    assert [str(found) for one in made for found in check(one)] == []
    found = judged(map(deployed, made))
    assert [(one.name, what) for one, what in zip(made, found, strict=True) if what] == []


def _retry_all_first(state: JsonObject) -> None:
    state["Retry"] = [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["Unavailable"]}]


def _invoke_nothing(state: JsonObject) -> None:
    state["Resource"] = "arn:aws:states:::lambda:invoke"


def _tell_nobody_the_token(state: JsonObject) -> None:
    state["Resource"] = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    state["Parameters"] = {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:x"}


def _read_an_empty_slot(state: JsonObject) -> None:
    state["Parameters"] = {"key.$": "States.Format('{}:x', $.nothing)"}


def _use_a_function_that_is_not(state: JsonObject) -> None:
    state["Parameters"] = {"key.$": "States.MathSub($.run_id, 1)"}


@pytest.mark.usefixtures("validators")
@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_retry_all_first, "error"),
        (_invoke_nothing, "function"),
        (_tell_nobody_the_token, "token"),
        (_read_an_empty_slot, "slot"),
        (_use_a_function_that_is_not, "expression"),
    ],
)
def test_our_checks_find_what_no_validator_finds(
    spoil: Callable[[JsonObject], None], rule: str
) -> None:
    program = next(each for each in PROGRAMS if each.name == "one_attempt_is_no_retry")
    compiled = compile_workflow(program.definition.ir)
    machine = json.loads(deployed(compiled))
    (state,) = machine["States"].values()
    spoil(state)
    spoiled = Compiled("aws", "spoiled", {"m.json": json.dumps(machine)}, "m.json")
    assert {found.rule for found in check(spoiled)} == {rule}
    accepted = [what for what in judged([spoiled.main])[0] if "language-service" not in what]
    print(spoil.__name__, judged([spoiled.main])[0], accepted)
