"""Lint says what will go wrong, where, on which target, and what to do about it."""

from __future__ import annotations

import pytest

from cartwheel.workflow import (
    RetryPolicy,
    attempt,
    catch,
    lint,
    poll,
    saga,
    wait_for,
    workflow,
)
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import LiteralExpr, RefExpr
from tests.unit.workflow.linted import found, guarded, read, told, undo
from tests.unit.workflow.parts import (
    ById,
    Text,
    release,
    reserve,
    say,
)


def test_a_careful_workflow_has_no_findings() -> None:
    def careful(cmd: ById) -> None:
        with saga():
            guarded(order_id=cmd.order_id, sku="a", compensate=undo)
            told(text="done")

    assert found(careful) == {}


def test_a_finding_names_line_step_and_remedy() -> None:
    def hasty(cmd: ById) -> None:
        say(text=cmd.order_id)

    finding = found(hasty)["no-timeout"]
    assert finding.step == "say"
    assert finding.at is not None
    assert finding.at.startswith("test_lint.py:")
    assert finding.severity == "advice"
    assert str(finding) == (
        f"{finding.at}: advice no-timeout: step 'say': task 'say' has no timeout: "
        "only its platform ends a call that hangs; give the task or this step a timeout"
    )


def test_a_workflow_that_does_not_build_is_reported_and_not_judged() -> None:
    def fine(cmd: ById) -> None:
        told(text=cmd.order_id)

    good = workflow("w", version="1")(fine).ir
    broken = good.model_copy(
        update={"body": (*good.body, ir.ReturnStep(name="end", value=RefExpr(name="nothing")))}
    )
    (finding,) = lint(broken)
    assert (finding.code, finding.severity, finding.step) == ("does-not-build", "error", "end")
    assert "nothing is named 'nothing'" in finding.message
    assert "there are names input" in finding.remedy


def test_compensation_outside_a_saga_is_an_error() -> None:
    def fine(cmd: ById) -> None:
        with saga():
            guarded(order_id=cmd.order_id, sku="a", compensate=undo)

    good = workflow("w", version="1")(fine).ir
    (around,) = good.body
    assert isinstance(around, ir.SagaStep)
    (finding,) = lint(good.model_copy(update={"body": around.body}))
    assert finding.code == "does-not-build"
    assert "needs a saga around it" in finding.message


def test_a_handler_that_is_never_reached_is_an_error() -> None:
    def fine(cmd: ById) -> None:
        with attempt():
            told(text=cmd.order_id)
        with catch("*"):
            told(text="caught", step="caught")

    good = workflow("w", version="1")(fine).ir
    (tried,) = good.body
    assert isinstance(tried, ir.TryStep)
    late = ir.Handler(codes=("Timeout",))
    never = tried.model_copy(update={"handlers": (*tried.handlers, late)})
    (finding,) = lint(good.model_copy(update={"body": (never,)}))
    assert (finding.step, finding.severity) == ("attempt", "error")
    assert "'Timeout' is caught by an earlier handler" in finding.message


def test_a_retry_on_a_code_that_the_task_cannot_raise_is_an_error() -> None:
    def fine(cmd: ById) -> None:
        told(text=cmd.order_id)

    good = workflow("w", version="1")(fine).ir
    (step,) = good.body
    odd = step.model_copy(update={"retry": RetryPolicy(on=("OutOfStock",))})
    (finding,) = lint(good.model_copy(update={"body": (odd,)}))
    assert (finding.step, finding.severity) == ("told", "error")
    assert "'OutOfStock' cannot be retried" in finding.message
    assert "Timeout" in finding.remedy


def retries_bugs(cmd: ById) -> None:
    told(text=cmd.order_id, retry=RetryPolicy(on=("*",)))


def long_retry(cmd: ById) -> None:
    told(text=cmd.order_id, retry=RetryPolicy(attempts=9, interval=600, cap=None))


def poll_without_pause(cmd: ById) -> None:
    poll(read, until=lambda r: r.total > 0, interval=0, attempts=9, order_id=cmd.order_id)


def wait_without_end(cmd: ById) -> None:
    told(text=cmd.order_id)
    wait_for("approved", Text)


def saga_without_compensation(cmd: ById) -> None:
    with saga():
        told(text=cmd.order_id)


def not_compensated(cmd: ById) -> None:
    with saga():
        guarded(order_id=cmd.order_id, sku="a", compensate=undo)
        guarded(order_id=cmd.order_id, sku="b", step="again")


def compensation_without_retry(cmd: ById) -> None:
    with saga():
        reserve(order_id=cmd.order_id, compensate=release, timeout=5)


def swallowed_error(cmd: ById) -> None:
    with attempt():
        told(text=cmd.order_id)
    with catch("*"):
        pass


def unused_input(cmd: ById) -> None:
    told(text="nothing of it")


GENERAL = {
    "retries-bugs": (retries_bugs, "told", "advice"),
    "long-retry": (long_retry, "told", "advice"),
    "poll-without-pause": (poll_without_pause, "read", "warning"),
    "wait-without-end": (wait_without_end, "wait_approved", "warning"),
    "saga-without-compensation": (saga_without_compensation, "saga", "warning"),
    "not-compensated": (not_compensated, "again", "warning"),
    "compensation-without-retry": (compensation_without_retry, "reserve", "warning"),
    "swallowed-error": (swallowed_error, "attempt", "advice"),
    "unused-input": (unused_input, None, "advice"),
}


@pytest.mark.parametrize("code", GENERAL)
def test_each_kind_of_general_advice_is_given_at_its_step(code: str) -> None:
    function, step, severity = GENERAL[code]
    findings = found(function)
    assert list(findings) == [code]
    assert (findings[code].step, findings[code].severity) == (step, severity)
    assert findings[code].target is None
    assert findings[code].remedy


def test_a_value_that_nobody_reads_is_reported_in_data_from_elsewhere() -> None:
    def fine(cmd: ById) -> None:
        told(text=cmd.order_id)

    good = workflow("w", version="1")(fine).ir
    extra = ir.AssignStep(name="extra", variable="extra", value=LiteralExpr(value=1))
    (finding,) = lint(good.model_copy(update={"body": (*good.body, extra)}))
    assert (finding.code, finding.step) == ("unused-result", "extra")
