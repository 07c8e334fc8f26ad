"""The blocks of a workflow function: when, attempt, saga, parallel, map."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict, JsonValue

from cartwheel.workflow import _ir as ir
from cartwheel.workflow._expr import Expr, LiteralExpr
from cartwheel.workflow._recorder import (
    Draft,
    Recorder,
    TryDraft,
    WhenDraft,
    frozen,
    named,
    recorder,
)
from cartwheel.workflow._symbol import condition, expression, kind, lift, made, refuse, source_line
from cartwheel.workflow._types import ERROR_TYPE, NULL, ListType, NullType, Type, describe

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
T9 = TypeVar("T9")
T10 = TypeVar("T10")


class _Block(AbstractContextManager[R]):
    """A block that notices when nobody enters it: without `with` its steps would run always."""

    def __init__(self, inner: AbstractContextManager[R], current: Recorder, shown: str) -> None:
        self._inner = inner
        self._current = current
        self._shown = shown
        current.unopened.append(shown)

    def __enter__(self) -> R:
        self._current.unopened.remove(self._shown)
        return self._inner.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)


def _block(function: Callable[P, Iterator[R]]) -> Callable[P, _Block[R]]:
    make = contextmanager(function)

    @functools.wraps(function)
    def block(*args: P.args, **kwargs: P.kwargs) -> _Block[R]:
        current = recorder(function.__name__)
        shown = f"{function.__name__}(...) at {source_line()}"
        return _Block(make(*args, **kwargs), current, shown)

    return block


class CaughtError(BaseModel):
    """What a handler sees of the error that it caught."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    details: JsonValue
    retryable: bool


@_block
def when(test: object, *, step: str | None = None) -> Iterator[None]:
    """Run the steps inside only if a condition holds."""
    current = recorder("when")
    at = source_line()
    tested = condition(test, "when")
    name = current.step_name(step, "when")
    with current.opened([]) as body:
        yield
    current.add(WhenDraft(name, at, tested, body))


@_block
def otherwise() -> Iterator[None]:
    """Run the steps inside only if the condition of the `when` right before does not hold."""
    current = recorder("otherwise")
    before = current.body[-1] if current.body else None
    if not isinstance(before, WhenDraft) or before.otherwise is not None:
        refuse(
            "otherwise() must follow a when(...) directly", remedy="put it right after the block"
        )
    before.otherwise = []
    with current.opened(before.otherwise):
        yield


@_block
def attempt(*, step: str | None = None) -> Iterator[None]:
    """Run the steps inside; the `catch` blocks that follow handle their errors."""
    current = recorder("attempt")
    at = source_line()
    name = current.step_name(step, "attempt")
    with current.opened([]) as body:
        yield
    current.add(TryDraft(name, at, body))


@_block
def catch(*codes: str) -> Iterator[CaughtError]:
    """Handle errors of the attempt right before by their codes; `*`, or none, is any error."""
    current = recorder("catch")
    before = current.body[-1] if current.body else None
    if not isinstance(before, TryDraft):
        refuse(
            "catch(...) must follow an attempt() directly", remedy="put it right after the block"
        )
    name = current.value_name("error")
    handler = made(ir.Handler, codes=codes or (ir.ANY_ERROR,), error=name)
    body: list[Draft] = []
    before.handlers.append((handler, body))
    with current.opened(body):
        yield cast("CaughtError", named(name, ERROR_TYPE))


@_block
def saga(*, step: str | None = None) -> Iterator[None]:
    """Undo the steps inside which have a `compensate`, in reverse, when one of them fails."""
    current = recorder("saga")
    at = source_line()
    name = current.step_name(step, "saga")
    with current.opened([]) as body:
        yield
    current.add(made(ir.SagaStep, name=name, at=at, body=frozen(body)))


def _record(current: Recorder, run: Callable[[], object]) -> tuple[tuple[ir.Step, ...], object]:
    with current.opened([]) as body:
        value = run()
    return frozen(body), value


@overload
def parallel(a: Callable[[], T1], /, *, step: str | None = ...) -> tuple[T1]: ...
@overload
def parallel(
    a: Callable[[], T1], b: Callable[[], T2], /, *, step: str | None = ...
) -> tuple[T1, T2]: ...
@overload
def parallel(
    a: Callable[[], T1], b: Callable[[], T2], c: Callable[[], T3], /, *, step: str | None = ...
) -> tuple[T1, T2, T3]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    e: Callable[[], T5],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4, T5]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    e: Callable[[], T5],
    f: Callable[[], T6],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4, T5, T6]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    e: Callable[[], T5],
    f: Callable[[], T6],
    g: Callable[[], T7],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4, T5, T6, T7]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    e: Callable[[], T5],
    f: Callable[[], T6],
    g: Callable[[], T7],
    h: Callable[[], T8],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4, T5, T6, T7, T8]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    e: Callable[[], T5],
    f: Callable[[], T6],
    g: Callable[[], T7],
    h: Callable[[], T8],
    i: Callable[[], T9],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4, T5, T6, T7, T8, T9]: ...
@overload
def parallel(
    a: Callable[[], T1],
    b: Callable[[], T2],
    c: Callable[[], T3],
    d: Callable[[], T4],
    e: Callable[[], T5],
    f: Callable[[], T6],
    g: Callable[[], T7],
    h: Callable[[], T8],
    i: Callable[[], T9],
    j: Callable[[], T10],
    /,
    *,
    step: str | None = ...,
) -> tuple[T1, T2, T3, T4, T5, T6, T7, T8, T9, T10]: ...
def parallel(*branches: Callable[[], Any], step: str | None = None) -> tuple[Any, ...]:
    """Run branches at once and return their values by position.

    All settle; then the error of the first failed branch is raised. Each branch is a function that
    records steps and returns a value.
    """
    current = recorder("parallel")
    at = source_line()
    name = current.step_name(step, "parallel")
    if not branches:
        refuse("parallel got no branch", remedy="give it functions: parallel(one, two)")
    parts: list[ir.Branch] = []
    values: list[object] = []
    for number, branch in enumerate(branches, 1):
        body, value = _record(current, branch)
        of: Type = kind(value)
        result = None
        if isinstance(of, NullType):
            values.append(None)
        else:
            result = current.value_name(f"{name}_{number}")
            values.append(named(result, of))
        parts.append(made(ir.Branch, body=body, value=expression(value), result=result))
    current.add(made(ir.ParallelStep, name=name, at=at, branches=tuple(parts)))
    return tuple(values)


def map_each(
    items: Iterable[T],
    fn: Callable[[T], R],
    *,
    concurrency: int | None = None,
    step: str | None = None,
) -> list[R]:
    """Run a function's steps for each item of a list and return the values by position.

    All items settle; then the error of the first failed one is raised. At most `concurrency` items
    run at once, all of them by default.
    """
    current = recorder("map_each")
    at = source_line()
    listed = lift(items)
    of = kind(listed)
    if not isinstance(of, ListType):
        refuse(f"map_each goes over a list, not {describe(of)}")
    name = current.step_name(step, "map")
    item = current.value_name(_parameter(fn))
    body, value = _record(current, lambda: fn(cast("T", named(item, of.item))))
    end: Expr = LiteralExpr() if value is None else expression(value)
    result = current.value_name(name)
    current.add(
        made(
            ir.MapStep,
            name=name,
            at=at,
            items=expression(listed),
            item=item,
            body=body,
            value=end,
            concurrency=concurrency,
            result=result,
        )
    )
    inner = NULL if value is None else kind(value)
    return cast("list[R]", named(result, ListType(item=inner)))


def _parameter(fn: Callable[..., object]) -> str:
    """Return the name of a function's first parameter, which names the item."""
    try:
        names = list(inspect.signature(fn).parameters)
    except (TypeError, ValueError):
        names = []
    return names[0] if names else "item"
