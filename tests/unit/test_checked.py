"""What was checked where it was built is not checked again where it runs."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cartwheel.app import App, checked_before
from cartwheel.ports import ConfigurationError
from cartwheel.workflow import BuildError, WorkflowDefinition, workflow


class Ask(BaseModel):
    name: str


def without_its_result() -> WorkflowDefinition[Ask, Ask]:
    """Make a workflow that the check refuses."""

    @workflow("half", version="1")
    def half(cmd: Ask) -> Ask:
        """Promise a result, and give none."""
        return None  # type: ignore[return-value]  # what the check is to find

    return half


def test_a_workflow_is_checked_where_its_application_is_made() -> None:
    with pytest.raises(BuildError, match="can end without its result"):
        App("wrong", services=[], workflows=[without_its_result()])


def test_it_is_recorded_and_not_checked_where_it_was_checked_before() -> None:
    with checked_before():
        app = App("wrong", services=[], workflows=[without_its_result()])
    assert app.workflows["half"].ir.body == ()


def test_the_application_itself_is_not_looked_at_again() -> None:
    with pytest.raises(ConfigurationError) as caught:
        App("Wrong", services=[])
    assert "'Wrong' is no name" in str(caught.value)
    with checked_before():
        assert App("Wrong", services=[]).name == "Wrong"
