"""What a function costs before its first answer: its imports, a client of DynamoDB, one request.

Ours is built as it is deployed and run from its packages; the peers are written as their manuals
show. All have 20 routes, validate an order of five lines, and make a client of DynamoDB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from functools import partial
from io import BytesIO
from pathlib import Path

from tests.benchmarks._table import Figure, child_cpu, paired
from tests.benchmarks.http_event import event, rest_event

RUNS = 7
GOAL = 2.0
OTHERS = 19
CLIENT = "import boto3\nclient = boto3.client('dynamodb', region_name='us-east-1')\n"
MODELS = """
from typing import Annotated
from pydantic import BaseModel, Field

class Line(BaseModel):
    product_id: str
    quantity: Annotated[int, Field(ge=1, le=99)]
    unit_price: int
    name: str

class Order(BaseModel):
    customer: str
    currency: str
    lines: Annotated[list[Line], Field(max_length=50)]

class Placed(Order):
    order_id: str
"""
BARE = f"""
import json
{MODELS}
{CLIENT}
def handle(event, context):
    order = Order.model_validate_json(event["body"])
    return {{"statusCode": 201, "body": Placed(order_id="1", **order.__dict__).model_dump_json()}}
"""
POWERTOOLS = f"""
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
{MODELS}
{CLIENT}
resolver = APIGatewayHttpResolver(enable_validation=True)
for number in range({OTHERS}):
    resolver.get(f"/shops/<shop_id>/things{{number}}/<thing_id>")(lambda shop_id, thing_id: None)

@resolver.post("/shops/<shop_id>/orders")
def place(shop_id: str, body: Order) -> Placed:
    return Placed(order_id="1", **body.__dict__)

handle = resolver.resolve
"""
MANGUM = f"""
from fastapi import FastAPI
from mangum import Mangum
{MODELS}
{CLIENT}
api = FastAPI()
for number in range({OTHERS}):
    async def other(shop_id: str, thing_id: str) -> None: pass
    api.get(f"/shops/{{{{shop_id}}}}/things{{number}}/{{{{thing_id}}}}")(other)

@api.post("/shops/{{shop_id}}/orders", status_code=201)
async def place(shop_id: str, body: Order) -> Placed:
    return Placed(order_id="1", **body.__dict__)

handle = Mangum(api, lifespan="off")
"""
CHALICE = f"""
from chalice import Chalice, Response
{MODELS}
{CLIENT}
handle = api = Chalice(app_name="bench")
for number in range({OTHERS}):
    def other(shop_id, thing_id): pass
    path = f"/shops/{{{{shop_id}}}}/things{{number}}/{{{{thing_id}}}}"
    api.route(path, name=f"other{{number}}")(other)

@api.route("/shops/{{shop_id}}/orders", methods=["POST"])
def place(shop_id):
    order = Order.model_validate_json(api.current_request.raw_body)
    headers = {{"Content-Type": "application/json"}}
    body = Placed(order_id="1", **order.__dict__).model_dump_json()
    return Response(body, headers=headers, status_code=201)
"""
OURS = '''"""An application of 20 routes."""

from typing import Annotated

from pydantic import Field

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, Body, View

service = Service("orders")
for number in range(19):

    def other(ctx: Context, shop_id: str, thing_id: str) -> None:
        """Do something else."""

    other.__name__ = f"other_{number}"
    path = f"/shops/{{shop_id}}/things{number}/{{thing_id}}"
    service.route("GET", path, permission=ANYONE)(other)


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


@service.route("POST", "/shops/{shop_id}/orders", permission=ANYONE, status=201)
def place(ctx: Context, shop_id: str, body: Order) -> Placed:
    """Place an order."""
    return Placed(order_id="1", **body.__dict__)


app = App("bench", services=[service])
'''
HANDLER = """
from cartwheel_aws.function import Function

handle = Function("bench_app:app", "orders", __file__).handle
"""
ENVIRONMENT = {
    "CARTWHEEL_STAGE": "test",
    "CARTWHEEL_ACCOUNT": "123456789012",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


def cold_starts() -> list[Figure]:
    """Compare the contenders with the bare function, in CPU seconds of the whole process."""
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        bare = _written(folder / "bare", BARE)
        contenders = {
            "ours, as deployed": _built(folder),
            "Powertools": _written(folder / "powertools", POWERTOOLS),
            "Chalice": _written(folder / "chalice", CHALICE, given=rest_event()),
            "Mangum with FastAPI": _written(folder / "mangum", MANGUM),
        }
        return [_figure(name, bare, command) for name, command in contenders.items()]


def _written(folder: Path, handler: str, *path: Path, given: str | None = None) -> list[str]:
    """Write a function and give the command that starts it for one request."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "handler.py").write_text(handler, encoding="utf-8")
    (folder / "event.json").write_text(given or event(), encoding="utf-8")
    places = [str(place) for place in (folder, *path)]
    code = (
        f"import json, os, sys; sys.path[:0] = {places!r}; os.environ.update({ENVIRONMENT!r})\n"
        "import handler\n"
        f"event = json.load(open({str(folder / 'event.json')!r}))\n"
        "answer = handler.handle(event, None)\n"
        "assert answer['statusCode'] in (200, 201), answer"
    )
    return [sys.executable, "-c", code]


def _built(folder: Path) -> list[str]:
    """Build our function as it is deployed, and unpack it as Lambda does."""
    import platform

    from cartwheel_aws import packages

    project = folder / "project"
    project.mkdir()
    (project / "bench_app.py").write_text(OURS, encoding="utf-8")
    architecture = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    built = packages(
        "bench_app:app",
        project,
        {"orders": {"handler.py": HANDLER.encode()}},
        architecture=architecture,  # type: ignore[arg-type]  # one of the two
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )
    for layer in (built.dependencies, built.shared):
        with zipfile.ZipFile(BytesIO(layer.content)) as archive:
            archive.extractall(folder / "opt")
    return _written(folder / "ours", HANDLER, folder / "opt" / "python")


def _figure(name: str, bare: list[str], command: list[str]) -> Figure:
    title = f"cold start to first answer, {name}, against a bare function"
    tried = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if tried.returncode:
        reason = tried.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return Figure(title, f"not measured: {reason[0]}")
    floor, one = paired(RUNS, partial(child_cpu, bare), partial(child_cpu, command))
    ratio = one / floor
    value = f"{one * 1e3:.0f} ms / {floor * 1e3:.0f} ms of CPU = {ratio:.2f}"
    if name.startswith("ours"):
        return Figure(title, value, f"<= {GOAL}", ratio <= GOAL)
    return Figure(title, value)
