"""The compiler's form: deterministic, readable, within the limits, and loud about what it can't."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cartwheel.testing.corpus import PROGRAMS
from cartwheel.testing.corpus._program import Given
from cartwheel.testing.corpus._tasks import look, say, take
from cartwheel.testing.corpus._timing import Word
from cartwheel.workflow import (
    RetryPolicy,
    Unsupported,
    WorkflowDefinition,
    attempt,
    catch,
    days,
    map_each,
    parallel,
    poll,
    sleep,
    wait_for,
    workflow,
)
from cartwheel_gcp import compile_workflow, frame
from cartwheel_workflows.checkout import checkout


def _document(definition: WorkflowDefinition[Given, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(compile_workflow(definition.ir).main)
    return document


def test_the_same_workflow_compiles_to_the_same_bytes() -> None:
    for program in PROGRAMS[:40]:
        workflow = program.definition.ir
        assert compile_workflow(workflow).files == compile_workflow(workflow).files


def test_the_file_is_named_after_the_workflow() -> None:
    compiled = compile_workflow(checkout.ir)
    assert (compiled.target, compiled.name, compiled.entry) == (
        "gcp",
        "checkout",
        "checkout.workflow.json",
    )


def test_steps_are_named_after_the_source() -> None:
    text = compile_workflow(checkout.ir).main
    for step in ("validate", "reserve", "authorize", "commit", "confirm", "capture"):
        assert f'{{"{step}": ' in text


def test_the_frame_has_a_slot_for_each_function_that_is_called() -> None:
    @workflow("two_services", version="1")
    def two_services(cmd: Given) -> None:
        say(text="x")
        wait_for("greeting", Word)

    assert frame(two_services.ir) == {"urls": {"cartwheel": None, "corpus": None}}


@workflow("waiting", version="1")
def waiting(cmd: Given) -> str:
    return wait_for("greeting", Word, timeout=60).word


def test_a_wait_registers_its_callback_and_asks_when_it_ran_out() -> None:
    document = _document(waiting)
    text = json.dumps(document)
    assert frame(waiting.ir) == {"urls": {"cartwheel": None}}
    assert text.count('"task": "cartwheel.wait"') == 1
    assert text.count('"task": "cartwheel.expired"') == 1
    assert '"token": "${wait_greeting_callback.url}"' in text
    assert '"timeout": 60' in text


@workflow("tried", version="1")
def tried(cmd: Given) -> None:
    say(text="a", retry=RetryPolicy(attempts=4, interval=2, rate=3, cap=9, on=("*",)))
    say(text="b", step="b", retry=RetryPolicy(attempts=2, interval=5, rate=1, cap=None))


def test_attempts_count_the_first_try_and_delays_are_those_of_the_policy() -> None:
    steps = _document(tried)["main"]["steps"][0]["whole"]["try"]["steps"]
    first, second = steps[0]["say"]["retry"], steps[1]["b"]["retry"]
    assert first["max_retries"] == 3
    assert first["backoff"] == {"initial_delay": 2, "max_delay": 9, "multiplier": 3}
    assert second["max_retries"] == 1
    assert second["backoff"] == {"initial_delay": 5, "max_delay": 5, "multiplier": 2}
    assert first["predicate"] != second["predicate"]


def test_a_cancelled_run_is_never_tried_again() -> None:
    document = _document(tried)
    answer = document["retry_any_error"]["steps"][-1]["answer"]["return"]
    assert answer == '${error.code != "Cancelled"}'


def test_a_text_with_an_expression_in_it_is_not_run() -> None:
    @workflow("quoting", version="1")
    def quoting(cmd: Given) -> str:
        return say(text="${sys.now()}").text

    assert "${sys.now()}" not in compile_workflow(quoting.ir).main


@workflow("not.possible", version="1")
def not_possible(cmd: Given) -> None:
    parallel(*[(lambda n=n: say(text="x", step=f"branch_{n}")) for n in range(11)])
    take(item="a", timeout=1801)
    poll(look, until=lambda r: r.status == "done", interval=1, attempts=2, timeout=4000, id="a")
    sleep(days(366))

    def deep(word: str) -> None:
        def deeper(other: str) -> None:
            map_each(cmd.words, lambda last: say(text=last, step="deepest"), step="third")

        map_each(cmd.words, deeper, step="second")

    map_each(cmd.words, deep, step="first")


def test_everything_that_is_not_possible_is_said_at_once() -> None:
    with pytest.raises(Unsupported) as caught:
        compile_workflow(not_possible.ir)
    gaps = caught.value.gaps
    assert [(gap.step, gap.feature) for gap in gaps] == [
        (None, "the name 'not.possible'"),
        ("parallel", "a parallel of many branches"),
        ("take", "a long timeout"),
        ("look", "a long timeout"),
        ("sleep", "a long sleep"),
        ("third", "a parallel inside parallels"),
    ]
    assert all(gap.target == "gcp" and gap.limit and gap.remedy for gap in gaps)


def test_a_workflow_near_the_limit_is_written_without_space() -> None:
    @workflow("long", version="1")
    def long(cmd: Given) -> None:
        for number in range(110):
            with attempt():
                say(text="x", step=f"step_{number}", retry=RetryPolicy(attempts=2))
            with catch("Timeout", "Unavailable"):
                say(text="y", step=f"other_{number}")

    text = compile_workflow(long.ir).main
    assert len(text.encode()) <= 128 * 1024
    assert "\n " not in text


def test_a_workflow_above_the_limit_is_refused() -> None:
    @workflow("longer", version="1")
    def longer(cmd: Given) -> None:
        for number in range(600):
            say(text="x", step=f"step_{number}")

    with pytest.raises(Unsupported, match="a source has at most 131072 bytes"):
        compile_workflow(longer.ir)
