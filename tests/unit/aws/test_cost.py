"""What a run is billed, where the count is not obvious."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.workflow import RetryPolicy, poll, result, workflow
from cartwheel_aws import cost

service = Service("costs")


class Name(BaseModel):
    name: str


class Seen(BaseModel):
    status: str


@service.task(retry=RetryPolicy(attempts=1))
def look(ctx: Context, cmd: Name) -> Seen:  # a task's signature
    return Seen(status=cmd.name)


@pytest.mark.parametrize("attempts", [1, 2, 9])
def test_a_poll_bills_its_first_answer_at_best_and_every_round_at_worst(attempts: int) -> None:
    @workflow("polls", version="1")
    def polls(cmd: Name) -> Name:
        seen = poll(
            look, until=lambda r: r.status == "x", interval=0, attempts=attempts, name=cmd.name
        )
        return result(Name, name=seen.status)

    counted = cost(polls.ir)
    assert (counted.effects, counted.happy <= counted.worst) == (1, True)
    rounds = cost(polls.ir).worst - counted.happy
    assert rounds >= attempts - 1
