"""A small application that has a route of every kind, and a client for its gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, TypeVar, cast

from pydantic import BaseModel, Field, field_validator

from cartwheel.app import App, Service
from cartwheel.context import Context, Principal
from cartwheel.host import HostOptions
from cartwheel.http import (
    ANYONE,
    AUTHENTICATED,
    Body,
    NotFound,
    PreconditionFailed,
    Query,
    Reply,
    Request,
    Response,
    TooManyRequests,
    Unauthenticated,
    View,
    etag,
    only,
    require_match,
)
from cartwheel.ports import DomainError, Hook, Json, JsonObject, PortCall, Unavailable
from cartwheel_memory import MemoryHost

T = TypeVar("T")

CANARY = "correct horse battery staple"
ORDER: Json = {"items": [{"product_id": "p1", "quantity": 2}]}
LONGEST_PATIENCE = 5
"""Seconds that a test waits for another thread before it fails."""


class OutOfStock(DomainError):
    """Says that the shelf is empty."""

    title: ClassVar[str] = "There is not enough stock"


class Colour(StrEnum):
    """Names a colour."""

    RED = "red"
    BLUE = "blue"


class Line(Body):
    """Is one line of an order."""

    product_id: str
    quantity: Annotated[int, Field(ge=1, le=99)]


class NewOrder(Body):
    """Is an order as it comes in."""

    items: Annotated[tuple[Line, ...], Field(max_length=50)]
    note: str = ""
    colour: Colour | None = None
    due: date | None = None
    gift: bool = False


class Login(Body):
    """Is what must never be echoed."""

    password: Annotated[str, Field(min_length=40)]

    @field_validator("password")
    @classmethod
    def _is_long(cls, value: str) -> str:
        if " " in value:
            raise ValueError("must not have blanks")
        return value


class Filter(Query):
    """Is what a list is asked for."""

    limit: Annotated[int, Field(ge=1, le=100, description="At most so many")] = 20
    min_price: int | None = None
    tag: tuple[str, ...] = ()
    number: list[int] | None = None
    colour: Colour | None = None
    available: bool = False
    since: Annotated[date | None, Field(alias="from")] = None
    q: str = ""


class Loose(BaseModel):
    """Lets unknown fields pass, which no gateway takes."""

    value: int = 0


class OrderView(View):
    """Is an order as it goes out."""

    order_id: str
    class_: Annotated[str, Field(alias="class")] = "plain"


class Echo(View):
    """Shows what arrived."""

    data: dict[str, str | int | bool | list[str] | list[int] | None]


class World:
    """Holds an application on the memory adapter, what its handlers did, and the log's lines."""

    def __init__(self, hook: Hook | None = None) -> None:
        self.lines: list[str] = []
        self.calls: list[str] = []
        self.behaviour: Callable[[Context], object] = lambda _: OrderView(order_id="ord_1")
        self.app = self._app()
        options = HostOptions(hook=hook, background=False, log=self.lines.append)
        self.host = MemoryHost(self.app, options)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Json = b"",
        *,
        token: str = "",
        key: str = "",
        headers: Mapping[str, str | tuple[str, ...]] | None = None,
        query: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Response:
        """Send a request; a body that is not bytes goes as JSON."""
        sent: dict[str, tuple[str, ...]] = {}
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body:
            sent["content-type"] = ("application/json",)
        if token:
            sent["authorization"] = (f"Bearer {token}",)
        if key:
            sent["idempotency-key"] = (key,)
        for name, value in (headers or {}).items():
            sent[name] = (value,) if isinstance(value, str) else value
        request = Request(method, path, query=query or {}, headers=sent, body=body)
        return self.host.dispatcher.http(request)

    def pay(self, key: str = "k1", body: bytes | Json = None, who: str = "ann") -> Response:
        """Send the request that has an Idempotency-Key."""
        order: Json = {"items": []}
        return self.send("POST", "/payments", order if body is None else body, token=who, key=key)

    @property
    def access(self) -> list[JsonObject]:
        """Give the access log."""
        lines = [cast("JsonObject", json.loads(line)) for line in self.lines]
        return [line for line in lines if line["event"] == "request"]

    def _app(self) -> App:
        users, orders = Service("users"), Service("orders")
        self._declare_users(users)
        self._declare_orders(orders)
        return App(
            "tiny", services=(users, orders), authenticate=_authenticate, title="Tiny", version="7"
        )

    def _declare_users(self, service: Service) -> None:
        @service.route("POST", "/login", permission=ANYONE, errors=(TooManyRequests,))
        def login(ctx: Context, body: Login) -> Echo:
            """Log in."""
            raise TooManyRequests("five failures", retry_after=77)

        @service.route("GET", "/me", permission=AUTHENTICATED)
        def me(ctx: Context) -> Echo:
            """Show who asks."""
            return Echo(data={"subject": ctx.caller.subject})

        @service.route("GET", "/who", permission=ANYONE)
        def who(ctx: Context) -> Echo:
            """Show who asks, if anyone."""
            return Echo(data={"subject": ctx.principal.subject if ctx.principal else None})

        @service.route("POST", "/staff", permission=only("staff", "admin"), status=201)
        def hire(ctx: Context, body: NewOrder) -> Echo:
            """Do what only staff may."""
            return Echo(data={"gift": body.gift})

    def _declare_orders(self, service: Service) -> None:
        @service.route("GET", "/orders", permission=ANYONE)
        def search(ctx: Context, query: Filter) -> Echo:
            """List orders.

            The newest come first.
            """
            data = query.model_dump(mode="json", by_alias=True)
            return Echo.model_validate({"data": data})

        @service.route("POST", "/orders", permission=ANYONE, status=201, errors=(OutOfStock,))
        def create(ctx: Context, body: NewOrder) -> Reply[OrderView]:
            """Create an order."""
            if body.note == "gone":
                raise OutOfStock("only 1 left", available=1, status="spoofed")
            return Reply(OrderView(order_id="ord_1"), headers={"Location": "/orders/ord_1"})

        @service.route("GET", "/orders/newest", permission=ANYONE)
        def newest(ctx: Context) -> OrderView:
            """Show the newest order."""
            return OrderView(order_id="newest")

        @service.route("GET", "/orders/{order_id}", permission=ANYONE)
        def get(ctx: Context, order_id: str) -> OrderView:
            """Show an order."""
            if order_id == "none":
                raise NotFound("there is no order 'none'")
            return OrderView(order_id=order_id)

        @service.route(
            "PATCH", "/orders/{order_id}", permission=ANYONE, errors=(PreconditionFailed,)
        )
        def edit(ctx: Context, order_id: str) -> Reply[OrderView]:
            """Edit an order."""
            assert ctx.request is not None
            require_match(ctx.request, 3)
            return Reply(OrderView(order_id=order_id), headers={"ETag": etag(4)})

        @service.route("DELETE", "/orders/{order_id}", permission=ANYONE)
        def delete(ctx: Context, order_id: str) -> None:
            """Delete an order."""

        @service.route("GET", "/orders/{order_id}/lines/{line_id}", permission=ANYONE)
        def line(ctx: Context, line_id: str, order_id: str) -> Echo:
            """Show a line."""
            return Echo(data={"order_id": order_id, "line_id": line_id})

        @service.route("POST", "/orders/{order_id}/note", permission=ANYONE)
        def note(ctx: Context, order_id: str, body: NewOrder | None = None) -> Echo:
            """Note something, or nothing."""
            return Echo(data={"note": None if body is None else body.note})

        @service.route("GET", "/anything", permission=ANYONE)
        def anything(ctx: Context) -> Response:
            """Do what the test says."""
            return cast("Response", self.behaviour(ctx))

        @service.route("POST", "/payments", permission=AUTHENTICATED, status=202, idempotent=True)
        def pay(ctx: Context, body: NewOrder) -> OrderView:
            """Pay."""
            self.calls.append(ctx.key)
            return cast("OrderView", self.behaviour(ctx))


def _authenticate(ctx: Context, token: str) -> Principal:
    if token == "down":
        raise Unavailable("the key store does not answer")
    if token.startswith("bad"):
        raise Unauthenticated("the token is not valid")
    roles = {"sam": "staff", "eve": "customer"}
    return Principal(token, frozenset({roles.get(token, "customer")}))


class Faults:
    """Fails a port's calls on request, before or after they take effect."""

    def __init__(self) -> None:
        self.wanted: list[tuple[str, str]] = []
        """The calls to come, each by its name and "before" or "after"."""

    def __call__(self, call: PortCall, invoke: Callable[[], T]) -> T:
        if not self.wanted or self.wanted[0][0] != str(call):
            return invoke()
        _, when = self.wanted.pop(0)
        if when == "before":
            raise Unavailable(f"{call} did not answer")
        result = invoke()
        if when == "after":
            raise Unavailable(f"the reply of {call} was lost")
        return result


def raising(error: BaseException) -> Callable[[Context], object]:
    """Make a handler that fails."""

    def behave(_: Context) -> object:
        raise error

    return behave


def body_of(response: Response) -> JsonObject:
    """Read the answer's object."""
    return cast("JsonObject", response.json())


def code_of(response: Response) -> Json:
    """Read a problem's code."""
    assert response.header("Content-Type") == "application/problem+json"
    return body_of(response)["code"]
