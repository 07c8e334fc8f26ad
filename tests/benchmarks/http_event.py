"""What a request costs between Lambda's JSON text and ours: API Gateway, an order of five lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, cast

from pydantic import Field

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.dispatch import Dispatcher
from cartwheel.http import ANYONE, Body, Reply, View
from cartwheel.log import Log, Sink, discard
from cartwheel.ports import Json, JsonObject
from cartwheel_aws import answer_http, http_kind
from cartwheel_local._time import RealClock
from cartwheel_memory import MemoryHost
from tests.benchmarks._table import Figure, median_of, seconds

CALLS = 2000
GOAL = 1.6


class Line(Body):
    product_id: str
    quantity: Annotated[int, Field(ge=1, le=99)]
    unit_price: int
    name: str


class Order(Body):
    customer: str
    currency: str
    lines: Annotated[tuple[Line, ...], Field(max_length=50)]


class Placed(View):
    order_id: str
    customer: str
    currency: str
    lines: tuple[Line, ...]


ORDER: Json = {
    "customer": "cus_01hzy3v7k2q8m4n6p0r2s4t6v8",
    "currency": "EUR",
    "lines": [
        {"product_id": f"prd_{n:06d}", "quantity": n + 1, "unit_price": 1999, "name": f"Mug {n}"}
        for n in range(5)
    ],
}


def placed(order: Order) -> Placed:
    """Do as little as a handler can, the same in all frameworks."""
    return Placed(
        order_id="ord_1", customer=order.customer, currency=order.currency, lines=order.lines
    )


def event() -> str:
    """Write the event of one request as Lambda hands it over."""
    api = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
    headers = {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate, br",
        "authorization": f"Bearer {'x' * 40}.{'y' * 300}.{'z' * 43}",
        "content-length": "512",
        "content-type": "application/json",
        "host": api,
        "origin": "https://shop.example.org",
        "referer": "https://shop.example.org/cart",
        "sec-fetch-mode": "cors",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "x-amzn-trace-id": "Root=1-67000000-0123456789abcdef01234567",
        "x-forwarded-for": "198.51.100.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    written: JsonObject = {
        "version": "2.0",
        "routeKey": "POST /shops/{shop_id}/orders",
        "rawPath": "/shops/shp_42/orders",
        "rawQueryString": "",
        "cookies": ["session=abc123", "theme=dark"],
        "headers": cast("Json", headers),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": api,
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": "POST",
                "path": "/shops/shp_42/orders",
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": headers["user-agent"],
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /shops/{shop_id}/orders",
            "stage": "$default",
            "time": "02/Jan/2026:03:04:05 +0000",
            "timeEpoch": 1767323045000,
        },
        "pathParameters": {"shop_id": "shp_42"},
        "body": json.dumps(ORDER),
        "isBase64Encoded": False,
    }
    return json.dumps(written)


def app() -> App:
    """Make an application of 20 routes."""
    service = Service("orders")

    @service.route("POST", "/shops/{shop_id}/orders", permission=ANYONE, status=201)
    def place(ctx: Context, shop_id: str, body: Order) -> Reply[Placed]:
        """Place an order."""
        return Reply(placed(body), headers={"Location": "/shops/shp_42/orders/ord_1"})

    for number in range(19):

        def other(ctx: Context, shop_id: str, thing_id: str) -> None:
            """Do something else."""

        other.__name__ = f"other_{number}"
        service.route("GET", f"/shops/{{shop_id}}/things{number}/{{thing_id}}", permission=ANYONE)(
            other
        )
    return App("bench", services=[service])


def function(sink: Sink) -> Callable[[str], str]:
    """Make the function that Lambda would call, from text to text."""
    host = MemoryHost(app())
    dispatcher = Dispatcher(host.app, host.ports, Log(RealClock(), sink))

    def handle(text: str) -> str:
        given = json.loads(text)
        kind = http_kind(given)
        if kind is None:
            raise RuntimeError("the event of this benchmark is not taken for HTTP")
        return json.dumps(answer_http(dispatcher, given, kind))

    return handle


def bare(text: str, answer: str) -> float:
    """Time reading the event and writing the answer, which nobody can do without."""
    value = json.loads(answer)

    def work() -> None:
        for _ in range(CALLS):
            json.loads(text)
            json.dumps(value)

    return seconds(work) / CALLS


def calls(handle: Callable[[str], str], text: str) -> float:
    """Time calls of a function."""

    def work() -> None:
        for _ in range(CALLS):
            handle(text)

    return seconds(work) / CALLS


def ours() -> list[Figure]:
    """Compare our function with reading and writing JSON alone, with and without a log."""
    lines: list[str] = []
    quiet, logged = function(discard), function(lines.append)
    text = event()
    answer = quiet(text)
    floor = median_of(7, lambda: bare(text, answer))
    one = median_of(7, lambda: calls(quiet, text))
    two = median_of(7, lambda: calls(logged, text))
    return [
        Figure(
            "HTTP event to answer, validated both ways, against its JSON alone",
            f"{one * 1e6:.1f} us / {floor * 1e6:.1f} us = {one / floor:.2f}",
            f"<= {GOAL}",
            one / floor <= GOAL,
        ),
        Figure(
            "the same with a line of log a request",
            f"{two * 1e6:.1f} us / {floor * 1e6:.1f} us = {two / floor:.2f}",
        ),
    ]


if __name__ == "__main__":
    for figure in ours():
        print(figure.name, figure.value)
