"""Models and tasks that the workflow tests share; their handlers are never called."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from cartwheel.workflow import Compensation, RetryPolicy, Task

ONCE = RetryPolicy(attempts=1)


class Line(BaseModel):
    sku: str
    count: int


class Order(BaseModel):
    order_id: str
    total: int
    lines: list[Line]
    email: str | None = None


class ById(BaseModel):
    order_id: str


class Reserve(BaseModel):
    order_id: str
    sku: str = "any"


class Held(BaseModel):
    hold_id: str


class Done(BaseModel):
    status: Literal["confirmed", "declined"]
    order_id: str


class Text(BaseModel):
    text: str


class Nothing(BaseModel):
    pass


def never(*_: object) -> Any:
    raise AssertionError("a handler was called while a workflow was built")


def task(
    name: str,
    takes: type[BaseModel] = Nothing,
    gives: object = type(None),
    errors: tuple[str, ...] = (),
    **settings: object,
) -> Task[BaseModel, object]:
    given = {"retry": ONCE, **settings}
    return Task(name, never, takes, gives, errors, **given)  # type: ignore[arg-type]  # any type in tests


load: Task[ById, Order] = Task("orders.load", never, ById, Order, ("NoOrder",), ONCE)
reserve: Task[Reserve, Held] = Task(
    "stock.reserve",
    never,
    Reserve,
    Held,
    ("OutOfStock",),
    ONCE,
)
release: Task[Compensation[Reserve, Held], None] = Task(
    "stock.release", never, Compensation[Reserve, Held], type(None), (), ONCE
)
charge: Task[ById, Held] = Task("pay.charge", never, ById, Held, ("Declined",), ONCE)
refund: Task[Compensation[ById, Held], None] = Task(
    "pay.refund", never, Compensation[ById, Held], type(None), (), ONCE
)
say: Task[Text, None] = Task("say", never, Text, type(None), (), ONCE)

ORDER: dict[str, object] = {
    "order_id": "o1",
    "total": 3,
    "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}, {"sku": "c", "count": 3}],
    "email": None,
}
SCRIPT: dict[str, object] = {
    "orders.load": ORDER,
    "stock.reserve": {"hold_id": "h"},
    "pay.charge": {"hold_id": "p"},
}
START: dict[str, object] = {"order_id": "o1"}
