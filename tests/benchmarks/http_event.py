"""What a request costs between Lambda's JSON text and ours: API Gateway, an order of five lines."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple, cast

from pydantic import Field

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.dispatch import Dispatcher
from cartwheel.host import HostOptions
from cartwheel.http import ANYONE, Body, View
from cartwheel.log import Log, Sink, discard
from cartwheel.ports import Json, JsonObject
from cartwheel.realtime import RealClock, TimeOrderedIds
from cartwheel_aws import answer_http, http_kind
from cartwheel_memory import MemoryHost
from tests.benchmarks._table import Figure

CALLS = 500
ROUNDS = 15
OTHERS = 19
GOAL = 1.6

Handle = Callable[[str], str]


class Line(Body):
    product_id: str
    quantity: Annotated[int, Field(ge=1, le=99)]
    unit_price: int
    name: str


class Order(Body):
    customer: str
    currency: str
    lines: Annotated[list[Line], Field(max_length=50)]


class Placed(View):
    order_id: str
    customer: str
    currency: str
    lines: list[Line]


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


def rest_event() -> str:
    """Write the same request as a REST API's event, which is what Chalice takes."""
    given = json.loads(event())
    headers = given["headers"]
    context = given["requestContext"]
    written: JsonObject = {
        "resource": "/shops/{shop_id}/orders",
        "path": given["rawPath"],
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": given["pathParameters"],
        "stageVariables": None,
        "requestContext": {
            "accountId": context["accountId"],
            "apiId": context["apiId"],
            "domainName": context["domainName"],
            "httpMethod": "POST",
            "identity": {"sourceIp": context["http"]["sourceIp"]},
            "path": given["rawPath"],
            "requestId": context["requestId"],
            "resourcePath": "/shops/{shop_id}/orders",
            "stage": "test",
        },
        "body": given["body"],
        "isBase64Encoded": False,
    }
    return json.dumps(written)


def app() -> App:
    """Make an application of 20 routes."""
    service = Service("orders")
    for number in range(OTHERS):

        def other(ctx: Context, shop_id: str, thing_id: str) -> None:
            """Do something else."""

        other.__name__ = f"other_{number}"
        path = f"/shops/{{shop_id}}/things{number}/{{thing_id}}"
        service.route("GET", path, permission=ANYONE)(other)

    @service.route("POST", "/shops/{shop_id}/orders", permission=ANYONE, status=201)
    def place(ctx: Context, shop_id: str, body: Order) -> Placed:
        """Place an order."""
        return placed(body)

    return App("bench", services=[service])


def function(sink: Sink) -> Handle:
    """Make our function as Lambda would call it, from text to text."""
    host = MemoryHost(
        app(),
        HostOptions(replace=lambda ports: replace(ports, clock=RealClock(), ids=TimeOrderedIds())),
    )
    dispatcher = Dispatcher(host.app, host.ports, Log(RealClock(), sink))

    def handle(text: str) -> str:
        given = json.loads(text)
        kind = http_kind(given)
        if kind is None:
            raise RuntimeError("the event of this benchmark is not taken for HTTP")
        return json.dumps(answer_http(dispatcher, given, kind))

    return handle


def models_alone() -> Handle:
    """Make a function that does nothing but what its models demand."""
    read = Order.model_validate_json

    def handle(text: str) -> str:
        body = placed(read(json.loads(text)["body"])).model_dump_json()
        return json.dumps({"statusCode": 201, "headers": {}, "body": body})

    return handle


def powertools() -> Handle:
    """Make the same application on Powertools for AWS Lambda, with validation."""
    from aws_lambda_powertools.event_handler import (  # type: ignore[import-not-found,unused-ignore]  # bench only
        APIGatewayHttpResolver,
    )

    resolver = APIGatewayHttpResolver(enable_validation=True)
    for number in range(OTHERS):

        def other(shop_id: str, thing_id: str) -> None:
            """Do something else."""

        resolver.get(f"/shops/<shop_id>/things{number}/<thing_id>")(other)

    @resolver.post("/shops/<shop_id>/orders")  # type: ignore[untyped-decorator,unused-ignore]  # same
    def place(shop_id: str, body: Order) -> Placed:
        return placed(body)

    context: Any = None
    return lambda text: json.dumps(resolver.resolve(json.loads(text), context))


def mangum() -> Handle:
    """Make the same application on FastAPI behind Mangum."""
    from fastapi import FastAPI  # type: ignore[import-not-found,unused-ignore]  # bench only
    from mangum import Mangum  # type: ignore[import-not-found,unused-ignore]  # bench only

    api = FastAPI()
    for number in range(OTHERS):

        async def other(shop_id: str, thing_id: str) -> None:
            """Do something else."""

        api.get(f"/shops/{{shop_id}}/things{number}/{{thing_id}}")(other)

    @api.post("/shops/{shop_id}/orders", status_code=201)  # type: ignore[untyped-decorator,unused-ignore]  # same
    async def place(shop_id: str, body: Order) -> Placed:
        return placed(body)

    adapter = Mangum(api, lifespan="off")
    context: Any = None
    return lambda text: json.dumps(adapter(json.loads(text), context))


def chalice() -> Handle:
    """Make the same application on Chalice, which leaves bodies to its functions."""
    from chalice.app import (  # type: ignore[import-not-found,unused-ignore]  # bench only
        Chalice,
        Response,
    )

    api: Any = Chalice(app_name="bench")
    for number in range(OTHERS):

        def other(shop_id: str, thing_id: str) -> None:
            """Do something else."""

        path = f"/shops/{{shop_id}}/things{number}/{{thing_id}}"
        api.route(path, name=f"other_{number}")(other)

    @api.route("/shops/{shop_id}/orders", methods=["POST"])  # type: ignore[untyped-decorator,unused-ignore]  # same
    def place(shop_id: str) -> object:
        order = Order.model_validate_json(api.current_request.raw_body)
        headers: Any = {"Content-Type": "application/json"}
        return Response(placed(order).model_dump_json(), headers=headers, status_code=201)

    context: Any = None
    return lambda text: json.dumps(api(json.loads(text), context))


class Contender(NamedTuple):
    """Is a row: what makes the function, the distributions that it is made of, and its event."""

    make: Callable[[], Handle]
    made_of: tuple[str, ...] = ()
    event: Callable[[], str] = event


def _logged() -> Handle:
    lines: list[str] = []
    return function(lines.append)


CONTENDERS = {
    "ours": Contender(lambda: function(discard)),
    "ours, with a line of log each": Contender(_logged),
    "pydantic's part alone": Contender(models_alone),
    "Powertools": Contender(powertools, ("aws-lambda-powertools",)),
    "Chalice": Contender(chalice, ("chalice",), rest_event),
    "Mangum with FastAPI": Contender(mangum, ("mangum", "fastapi")),
}


class Measured(NamedTuple):
    """Holds CPU seconds a call, all taken in turn."""

    one: float
    by_hand: float
    """The same event answered with `json` alone: nothing is checked, and there is one route."""
    outside: float
    """The JSON of event and answer, without that of the two bodies within them."""
    made_of: str


def measure(name: str) -> Measured:
    """Time a function from text to text, and beside it what nobody can do without."""
    handle, text = CONTENDERS[name].make(), CONTENDERS[name].event()
    answer = json.loads(handle(text))
    body = json.loads(answer["body"])
    if answer["statusCode"] not in {200, 201} or len(body["lines"]) != 5:
        raise RuntimeError(f"{name} answered {answer}")
    headers = answer.get("headers", {})

    def by_hand() -> None:
        order = json.loads(json.loads(text)["body"])
        body = json.dumps({"order_id": "ord_1", **order})
        json.dumps({"statusCode": 201, "headers": headers, "body": body})

    def outside() -> None:
        json.loads(text)
        json.dumps(answer)

    works: list[Callable[[], object]] = [lambda: handle(text), by_hand, outside]
    rounds = [[_cpu(work) for work in works] for _ in range(ROUNDS + 1)]
    one, hand, least = (statistics.median(taken) for taken in zip(*rounds[1:], strict=True))
    made_of = ", ".join(f"{part} {version(part)}" for part in CONTENDERS[name].made_of)
    return Measured(one, hand, least, made_of)


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        work()
    return (time.process_time() - began) / CALLS


def events() -> list[Figure]:
    """Compare the contenders, each in a process of its own, with a function of JSON alone."""
    return [_figure(name) for name in CONTENDERS]


def _figure(name: str) -> Figure:
    title = f"HTTP event to answer, {name}, against the same by hand"
    command = [sys.executable, "-m", "tests.benchmarks.http_event", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return Figure(title, f"not measured: {reason[0]}")
    found = Measured(**json.loads(done.stdout.splitlines()[-1]))
    ratio = found.one / found.by_hand
    more = [f"{found.one / found.outside:.1f} x the outer JSON", *filter(None, [found.made_of])]
    value = (
        f"{found.one * 1e6:.0f} us / {found.by_hand * 1e6:.0f} us = {ratio:.2f} ({'; '.join(more)})"
    )
    if name != "ours":
        return Figure(title, value)
    return Figure(title, value, f"<= {GOAL}", ratio <= GOAL)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])._asdict()))
