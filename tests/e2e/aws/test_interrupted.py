"""A run may end before or after any call of AWS: the next one converges unattended."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cartwheel.deployment import Bundle, Deployment
from cartwheel_aws.deploy._driver import AwsDeployer
from cartwheel_aws.deploy._records import version_of
from tests.e2e.aws.conftest import Crash, Sky
from tests.support.aws_bundle import MACHINE_V2, bundle, data_template

SHARE = 1 if os.environ.get("CARTWHEEL_SOAK") == "1" else 2
"""Every so many-th point is played; all of them with CARTWHEEL_SOAK=1."""
AT_LEAST = 100


def first(sky: Sky) -> Bundle:
    """Give what is deployed first."""
    return bundle(health=sky.health)


def second(sky: Sky) -> Bundle:
    """Give what comes after it: other code, another machine, two indexes more."""
    return bundle("2", MACHINE_V2, health=sky.health, data=data_template(("one", "two")))


@dataclass(frozen=True)
class Scenario:
    """Is a verb that is interrupted, and what comes before it."""

    name: str
    before: Callable[[Sky], None]
    verb: Callable[[AwsDeployer, Sky], object]


def _deploy(made: Callable[[Sky], Bundle]) -> Callable[[AwsDeployer, Sky], Deployment]:
    return lambda deployer, sky: deployer.deploy(made(sky), sky.steps.append)


def _with_both(sky: Sky) -> None:
    _deploy(first)(sky.deployer(), sky)
    _deploy(second)(sky.deployer(), sky)


def _destroy(deployer: AwsDeployer, sky: Sky) -> object:
    return deployer.destroy(sky.steps.append, delete_data=True)


def _rollback(deployer: AwsDeployer, sky: Sky) -> object:
    """Go back, unless that was done but for the answer: it would go forth again."""
    found = sky.deployer().status()
    if found is not None and found.version == version_of(first(sky).files["template.yaml"]):
        bucket = sky.eyes.s3.list_buckets()["Buckets"][0]["Name"]
        if not any('"started"' in one for one in sky._objects(bucket)):
            return found
    return deployer.rollback(sky.steps.append)


SCENARIOS = (
    Scenario("first deployment", lambda sky: None, _deploy(first)),
    Scenario("changed deployment", lambda sky: void(_deploy(first), sky), _deploy(second)),
    Scenario("going back", _with_both, lambda deployer, sky: deployer.rollback(sky.steps.append)),
    Scenario("destroying", _with_both, _destroy),
)


def void(verb: Callable[[AwsDeployer, Sky], object], sky: Sky) -> None:
    """Do it and forget the answer."""
    verb(sky.deployer(), sky)


@pytest.mark.timeout(600)
def test_a_run_that_ends_at_any_call_is_taken_up_by_the_next(stage: Sky) -> None:
    sky = stage
    points = played = 0
    for scenario in SCENARIOS:
        sky.reset()
        scenario.before(sky)
        deployer = sky.deployer()
        scenario.verb(deployer, sky)
        moments = list(sky.wire.calls)
        expected = sky.seen()
        points += len(moments)
        print(f"{scenario.name}: {len(moments) // 2} calls, {len(moments)} points")
        for point in range(len(moments)):
            if (point + points) % SHARE:
                continue
            sky.reset()
            scenario.before(sky)
            deployer = sky.deployer()
            sky.wire.crash_at = point
            with pytest.raises(Crash):
                scenario.verb(deployer, sky)
            where = f"{scenario.name}, {sky.wire.calls[-1]} (point {point})"
            again = _rollback if scenario.name == "going back" else scenario.verb
            again(sky.deployer(), sky)
            assert sky.seen() == expected, where
            if scenario.name != "going back":
                done = scenario.verb(sky.deployer(), sky)
                assert sky.seen() == expected, where
                assert not isinstance(done, Deployment) or not done.changed, where
            played += 1
    print(f"{points} points in all, {played} of them played")
    assert played >= AT_LEAST
    assert played >= points // SHARE
