"""Generates what takes time: sleeps, waits for signals, polls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel.ports import Json, JsonObject
from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import LiteralExpr, NotExpr, ObjectExpr
from cartwheel.workflow._lint_targets import YEAR
from cartwheel_gcp._block import Block
from cartwheel_gcp._calls import PATIENT, RUNTIME, post
from cartwheel_gcp._names import Place
from cartwheel_gcp._scope import Scope

if TYPE_CHECKING:
    from cartwheel_gcp._generator import Generator

CALLBACK = ".http_request.body"
"""Where the request has its body that came to a callback's address: `{ok, value}` or `{ok,
error}`."""
SIGNAL = CALLBACK + ".value"


def generate_sleep(gen: Generator, step: ir.SleepStep, scope: Scope, block: Block) -> None:
    """Generate a sleep; what has passed does not wait."""
    write = gen.write(scope, block)
    if step.until is not None:
        until = write.value(step.until)
        block.add(step.name, {"call": "sys.sleep_until", "args": {"time": until}})
        return
    match step.seconds:
        case LiteralExpr(value=int() as seconds):
            if seconds > YEAR:
                what = f"a run lasts {YEAR} s at most, this sleep {seconds}"
                gen.gap("a long sleep", what, "sleep until a time, in a run of its own")
            if seconds > 0:
                block.add(step.name, _sleep(seconds))
        case None:
            pass
        case expr:
            block.add(step.name, _sleep(write.computed(f"math.max(0, {write.text(expr)})")))


def _sleep(seconds: Json) -> JsonObject:
    return {"call": "sys.sleep", "args": {"seconds": seconds}}


def generate_wait(gen: Generator, step: ir.WaitStep, scope: Scope, block: Block) -> None:
    """Generate a wait for a signal: an address to call back, registered with the run's records.

    A signal goes to the address at once when it came before the wait.
    """
    name = step.name
    timeout = step.timeout
    if timeout is not None and timeout > YEAR:
        gen.gap("a long wait", f"a wait lasts {YEAR} s at most, this {timeout}", "wait again")
    address = gen.variables(f"{name}_callback")
    create: JsonObject = {
        "call": "events.create_callback_endpoint",
        "args": {"http_callback_method": "POST"},
        "result": address,
    }
    block.add(f"{name}_callback", create)
    write = gen.write(scope, block)
    key = write.computed(write.key(name))
    token = "${" + address + ".url}"
    given: JsonObject = {"signal": step.signal, "token": token, "timeout": timeout}
    register = post(f"{RUNTIME}.wait", name, key, given, 60)
    block.add(f"{name}_register", gen.tried(register, PATIENT))
    place = None if step.result is None else scope.place(step.result)
    signal = place.variable if place and place.path == SIGNAL else gen.variables(f"{name}_signal")
    wait: JsonObject = {
        "call": "events.await_callback",
        "args": {"callback": "${" + address + "}", "timeout": timeout or YEAR},
        "result": signal,
    }
    if timeout is None:
        block.add(name, wait)
    else:
        block.add(
            name,
            _or_expired(gen, step, key=key, given=given, wait=wait, signal=scope.declare(signal)),
        )
    refused: Json = {
        "condition": "${not " + signal + CALLBACK + ".ok}",
        "raise": "${" + signal + CALLBACK + ".error}",
    }
    block.add(f"{name}_woken", {"switch": [refused]})
    if step.result is not None and place is not None:
        scope.learn(step.result, step.payload)
        if place.variable != signal:
            block.assign(f"{name}_taken", [place.entry("${" + signal + SIGNAL + "}")])


def _or_expired(
    gen: Generator,
    step: ir.WaitStep,
    *,
    key: Json,
    given: JsonObject,
    wait: JsonObject,
    signal: str,
) -> JsonObject:
    """Ask, when a wait has run out, whether the signal came just before; raises Timeout if not."""
    late = gen.variables(f"{step.name}_late")
    ask = post(f"{RUNTIME}.expired", step.name, key, given, 60)
    ask["result"] = late
    handler = gen.block()
    handler.add(f"{step.name}_expired", gen.tried(ask, LATE))
    value: JsonObject = {"ok": True, "value": "${" + late + ".body}"}
    handler.assign(f"{step.name}_late", [Place(signal, CALLBACK).entry(value)])
    raised = gen.variables(f"{step.name}_raised")
    return {"try": wait, "except": {"as": raised, "steps": handler.steps}}


LATE = ir.RetryPolicy(attempts=5, interval=1, rate=2, cap=30, on=(ir.UNAVAILABLE,))
"""How asking for a late signal is tried; Timeout is an answer to it."""


def generate_poll(gen: Generator, step: ir.PollStep, scope: Scope, block: Block) -> None:
    """Generate a poll: a loop that ends when its condition holds, an error when it never does."""
    name = step.name
    write = gen.write(scope, block)
    given = write.value(ObjectExpr(fields=step.input))
    count = gen.variables(f"{name}_count")
    place = scope.place(step.result)
    scope.declare(place.variable)
    scope.learn(step.result, gen.workflow.tasks[step.task].output)
    loop = gen.block()
    if step.interval:
        pause = gen.block()
        pause.add(f"{name}_pause", _sleep(step.interval))
        again: Json = {"condition": "${" + count + " > 0}", "steps": pause.steps}
        loop.add(f"{name}_again", {"switch": [again]})
    inside = gen.write(scope, loop)
    call = post(step.task, name, inside.computed(inside.key(name, count)), given, step.timeout)
    gen.check_timeout(step.timeout)
    call["result"] = place.variable
    loop.add(f"{name}_call", gen.tried(call, step.retry))
    holds: Json = {"condition": inside.condition(step.until), "next": "break"}
    loop.add(f"{name}_until", {"switch": [holds]})
    times: JsonObject = {"value": count, "range": [0, step.attempts - 1], "steps": loop.steps}
    block.add(name, {"for": times})
    message = f"step {name}: task {step.task} was polled {step.attempts} times without the answer"
    timeout: JsonObject = {
        "code": ir.TIMEOUT,
        "message": message,
        "details": None,
        "retryable": False,
    }
    never = gen.write(scope, block).condition(NotExpr(operand=step.until))
    block.add(f"{name}_over", {"switch": [{"condition": never, "raise": timeout}]})
