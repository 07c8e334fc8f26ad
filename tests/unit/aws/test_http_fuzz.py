"""Whatever is done to an event, there is an answer, and it is never the function's fault."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from cartwheel.host import HostOptions
from cartwheel.http import BadRequest, Request
from cartwheel.log import discard
from cartwheel.ports import Json, JsonObject
from cartwheel_aws import HttpKind, answer_http, http_kind
from cartwheel_aws._http_events import decode
from cartwheel_memory import MemoryHost
from tests.support import aws_http
from tests.unit.aws.http_app import app

GOLDEN = Path(__file__).parents[2] / "golden" / "aws" / "events"
ROUNDS = 2000
FORMAT_2 = {HttpKind.HTTP_API, HttpKind.FUNCTION_URL}
ALBS = {HttpKind.ALB, HttpKind.ALB_MULTI}
GONE = "(gone)"
VALUES: list[Json] = [
    *[None, True, False, 0, 1, -1, 2**70, 1.5, "", "x", "/", "//", "/seen/%zz", "%", "%ff", "%00"],
    *["/seen/a", "\x00", "\ud800", "é", "=" * 9, "YQ==", "a" * 3000, "GET", "true", "{", "null"],
    {},
    [],
    [[]],
    [None],
    ["a"],
    [1, "a"],
    {"a": None},
    {"a": "b"},
    {"a": ["b"]},
    {"": ""},
]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True)


class _Http(_Shape):
    method: str
    sourceIp: str | None = None


class _Context2(_Shape):
    http: _Http
    stage: str | None = None


class _Event2(_Shape):
    """Is what AWS documents of format 2.0 as far as a request is made of it."""

    rawPath: str
    rawQueryString: str | None = None
    headers: dict[str, str] | None = None
    cookies: list[str] | None = None
    requestContext: _Context2
    body: str | None = None
    isBase64Encoded: bool | None = None


class _Identity(_Shape):
    sourceIp: str | None = None


class _Context1(_Shape):
    identity: _Identity | None = None
    stage: str | None = None


class _Event1(_Shape):
    """Is the same of format 1.0."""

    httpMethod: str
    path: str
    headers: dict[str, str] | None = None
    multiValueHeaders: dict[str, list[str]] | None = None
    queryStringParameters: dict[str, str] | None = None
    multiValueQueryStringParameters: dict[str, list[str]] | None = None
    requestContext: _Context1
    body: str | None = None
    isBase64Encoded: bool | None = None


def is_shaped(event: JsonObject, kind: HttpKind) -> bool:
    """Judge an event's shape without the decoder."""
    event = dict(event)
    context = event.get("requestContext")
    if kind not in FORMAT_2:
        # The single values are not looked at beside the multiple ones.
        for name in ("Headers", "QueryStringParameters"):
            if event.get(f"multiValue{name}") is not None:
                event.pop(f"{name[0].lower()}{name[1:]}", None)
    if isinstance(context, dict):
        context = dict(context)
        event["requestContext"] = cast("Json", context)
        if kind in ALBS:
            context.pop("identity", None)
        if kind not in {HttpKind.HTTP_API, HttpKind.HTTP_API_V1}:
            context.pop("stage", None)
    try:
        # Python and not JSON: an integer or half a pair would be refused there as such.
        (_Event2 if kind in FORMAT_2 else _Event1).model_validate(event)
    except ValidationError as error:
        return all(fault["type"] == "string_unicode" for fault in error.errors())
    return True


def goldens(kind: HttpKind) -> list[JsonObject]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.glob("*.json"))]
    return [golden["event"] for golden in found if golden["kind"] == kind]


def places(value: Json, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the way to everything within a value."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*at, name)
            yield from places(part, (*at, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield (*at, number)
            yield from places(part, (*at, number))


def mutate(event: JsonObject, chance: random.Random) -> None:
    """Do something to one place of an event."""
    way = chance.choice(list(places(event)))
    parent: Json = event
    for step in way[:-1]:
        parent = parent[step]  # type: ignore[index]  # a way leads somewhere
    last = way[-1]
    if isinstance(parent, list):
        assert isinstance(last, int)
        if chance.random() < 0.3:
            del parent[last]
        else:
            parent[last] = other(parent[last], chance)
        return
    assert isinstance(parent, dict)
    assert isinstance(last, str)
    what = chance.random()
    if what < 0.25:
        del parent[last]
    elif what < 0.35:
        parent[chance.choice([last.upper(), last.swapcase(), f"{last}x", ""])] = parent.pop(last)
    else:
        parent[last] = other(parent[last], chance)


def other(value: Json, chance: random.Random) -> Json:
    """Give another value: nested, of the neighbouring type, or anything."""
    what = chance.randrange(6)
    if what == 0:
        return [value]
    if what == 1:
        return {"value": value}
    if what == 2 and isinstance(value, str):
        return value[: chance.randrange(len(value) + 1)] + chance.choice(
            ["%", "\x00", "é", "=", "/"]
        )
    return copy.deepcopy(chance.choice(VALUES))


@pytest.fixture(scope="module")
def host() -> Iterator[MemoryHost]:
    with MemoryHost(app(), HostOptions(log=discard)) as host:
        yield host


def requested(event: JsonObject, kind: HttpKind) -> Request | None:
    try:
        return decode(event, kind)
    except BadRequest:
        return None


def answered(host: MemoryHost, event: JsonObject, kind: HttpKind) -> int:
    """Answer an event, read the answer as strictly as AWS may, and give its status."""
    answer = json.loads(json.dumps(answer_http(host.dispatcher, event, kind)))
    response = aws_http.response_of(kind, Request("GET", "/"), answer)
    if response.status >= 400:
        assert response.header("content-type") == "application/problem+json"
        problem = response.json()
        assert isinstance(problem, dict)
        assert problem["status"] == response.status
    return response.status


@pytest.mark.parametrize("kind", list(HttpKind))
def test_random_corruptions_are_answered(host: MemoryHost, kind: HttpKind) -> None:
    chance = random.Random(f"{kind} events")
    events = goldens(kind)
    wanted = [decode(event, kind) for event in events]
    counts: Counter[str] = Counter()
    for _ in range(ROUNDS):
        number = chance.randrange(len(events))
        event = copy.deepcopy(events[number])
        for _ in range(chance.choice([1, 1, 1, 2, 4])):
            mutate(event, chance)
        found = http_kind(event)
        if found is None:
            counts["no HTTP"] += 1
            assert "rawPath" not in event
            assert "httpMethod" not in event
            continue
        status = answered(host, event, found)
        counts["2xx" if status < 300 else "400" if status == 400 else "other 4xx"] += 1
        assert 200 <= status < 300 or 400 <= status < 500, (event, status)
        if not is_shaped(event, found):
            counts["misshapen"] += 1
            assert status == 400, event
        elif found is kind and requested(event, kind) == wanted[number]:
            counts["intact"] += 1
            golden = answered(host, events[number], kind)
            assert status == golden, event
    print(f"{kind}: {dict(sorted(counts.items()))}")
    assert counts["2xx"] + counts["400"] + counts["other 4xx"] + counts["no HTTP"] == ROUNDS
    assert min(counts["2xx"], counts["400"], counts["misshapen"], counts["intact"]) > ROUNDS / 25


def corruptions(kind: HttpKind) -> list[tuple[str, Json]]:
    """List what is done by hand, each as the way to a place and what is put there."""
    two = kind in FORMAT_2
    path = "rawPath" if two else "path"
    method = "requestContext.http.method" if two else "httpMethod"
    many = kind not in FORMAT_2 and kind is not HttpKind.ALB
    headers = "multiValueHeaders" if many else "headers"
    client = "requestContext.http.sourceIp" if two else "requestContext.identity.sourceIp"
    wrong: dict[str, list[Json]] = {
        path: [None, 7, True, [], {}, ["/seen"], "", "seen", "/\ud800", "/\x00", "/seen/\n"],
        method: [7, True, [], {}],
        headers: ["x", 7, True, [1], [], {"a": 1}, {"a": {}}, {"a": [1]}],
        "body": [7, True, [], {}, "\ud800"],
        "isBase64Encoded": ["true", 1, [], {}],
        "base64": ["?", "YQ", "Y=Q=", "é", "YQ==\n", "YQ==YQ=="],
        "requestContext": [None, 7, "x", []],
    }
    if kind is HttpKind.ALB:
        wrong["queryStringParameters"] = ["a=b", 7, [], {"a": 7}, {"%": "a"}]
    elif kind is HttpKind.ALB_MULTI:
        wrong["multiValueQueryStringParameters"] = ["a=b", 7, [], {"a": "b"}, {"%": ["a"]}]
    else:
        wrong[client] = [7, [], {}, True]
    return [(way, put) for way, puts in wrong.items() for put in puts]


@pytest.mark.parametrize("kind", list(HttpKind))
def test_corruptions_by_hand_are_problems_400(host: MemoryHost, kind: HttpKind) -> None:
    listed = corruptions(kind)
    for way, put in listed:
        event = copy.deepcopy(goldens(kind)[-1])
        if way == "base64":
            event |= {"isBase64Encoded": True, "body": put}
        else:
            *front, last = way.split(".")
            parent = event
            for name in front:
                parent = cast("JsonObject", parent[name])
            parent[last] = put
        found = http_kind(event)
        assert found is not None
        assert answered(host, event, found) == 400, (way, put)
    print(f"{kind}: {len(listed)} corruptions by hand")
    assert len(listed) >= 40
