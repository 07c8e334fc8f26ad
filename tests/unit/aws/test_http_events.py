"""Events as AWS documents them become the expected requests, and answers the documented ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import cast

import pytest

from cartwheel.dispatch import Dispatcher
from cartwheel.host import HostOptions
from cartwheel.http import MAX_BODY, BadRequest, Request, Response
from cartwheel.log import Log, discard
from cartwheel.ports import Json, JsonObject
from cartwheel_aws import HttpKind, answer_http, http_kind
from cartwheel_aws._http import MOST_BYTES, MOST_BYTES_ALB, encode
from cartwheel_aws._http_events import decode
from cartwheel_memory import MemoryHost
from tests.unit.aws.http_app import app

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"
EVENTS = sorted(path.stem for path in (GOLDEN / "events").glob("*.json"))
ANSWERS = sorted(path.stem for path in (GOLDEN / "answers").glob("*.json"))
ONE_OF_EACH = {
    HttpKind.HTTP_API: "http_api_json_body",
    HttpKind.HTTP_API_V1: "http_api_v1",
    HttpKind.FUNCTION_URL: "function_url_post",
    HttpKind.REST_API: "rest_api_post",
    HttpKind.ALB: "alb_get",
    HttpKind.ALB_MULTI: "alb_multi_post",
}


def read(folder: str, name: str) -> JsonObject:
    text = (GOLDEN / folder / f"{name}.json").read_text(encoding="utf-8")
    return cast("JsonObject", json.loads(text))


def event_of(name: str) -> JsonObject:
    return cast("JsonObject", read("events", name)["event"])


def body_of(written: Json) -> bytes:
    if isinstance(written, dict):
        return base64.b64decode(str(written["base64"]))
    return str(written).encode()


def request_of(written: JsonObject) -> Request:
    query = cast("dict[str, list[str]]", written["query"])
    headers = cast("dict[str, list[str]]", written["headers"])
    return Request(
        str(written["method"]),
        str(written["path"]),
        query={name: tuple(values) for name, values in query.items()},
        headers={name: tuple(values) for name, values in headers.items()},
        body=body_of(written["body"]),
        client=str(written["client"]),
    )


@pytest.mark.parametrize("name", EVENTS)
def test_a_documented_event_becomes_the_request_that_was_sent(name: str) -> None:
    golden = read("events", name)
    event = cast("JsonObject", golden["event"])
    kind = http_kind(event)
    assert kind == golden["kind"]
    assert kind is not None
    assert decode(event, kind) == request_of(cast("JsonObject", golden["request"]))


def test_every_kind_has_golden_events_and_answers() -> None:
    assert {read("events", name)["kind"] for name in EVENTS} == set(HttpKind)
    assert {read("answers", name)["kind"] for name in ANSWERS} == set(HttpKind)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_response_becomes_the_documented_answer(name: str) -> None:
    golden = read("answers", name)
    written = cast("JsonObject", golden["response"])
    headers = cast("dict[str, str]", written["headers"])
    response = Response(int(str(written["status"])), headers, body_of(written["body"]))
    assert encode(response, HttpKind(str(golden["kind"]))) == golden["answer"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        "rawPath",
        ["httpMethod"],
        7,
        {},
        {"requestContext": {"http": {"method": "GET", "path": "/"}}},
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}"}}]},
        {"detail-type": "order.placed", "source": "shop", "detail": {}},
        {"run_id": "r", "task": "orders.place", "step": "place", "key": "r:place", "input": {}},
        {"requestContext": {"functionArn": "arn", "condition": "Success"}, "responsePayload": {}},
        {"requestContext": {"connectionId": "c", "eventType": "MESSAGE"}, "body": "{}"},
    ],
    ids=repr,
)
def test_what_is_no_http_request_is_told_by_its_shape(event: object) -> None:
    assert http_kind(event) is None


@pytest.mark.parametrize("kind", list(HttpKind))
@pytest.mark.parametrize(
    "change",
    [
        {"requestContext": None},
        {"requestContext": "http"},
        {"headers": ["a"], "multiValueHeaders": ["a"]},
        {"headers": {"a": 1}, "multiValueHeaders": {"a": [1]}},
        {"headers": {"a": None}, "multiValueHeaders": {"a": None}},
        {"headers": {"a": ["b"]}, "multiValueHeaders": {"a": "b"}},
        {"body": 7},
        {"body": {"text": "x"}},
        {"body": "\ud800"},
        {"isBase64Encoded": "true"},
        {"isBase64Encoded": 1},
        {"isBase64Encoded": True, "body": "?"},
        {"isBase64Encoded": True, "body": "YQ"},
        {"isBase64Encoded": True, "body": "é"},
        {"rawPath": "seen", "path": "seen"},
        {"rawPath": "", "path": ""},
        {"rawPath": 1, "path": 1},
        {"rawPath": "/a\x00b", "path": "/a\x00b"},
        {"rawPath": "/\ud800", "path": "/\ud800"},
        {"rawQueryString": 7, "multiValueQueryStringParameters": 7, "queryStringParameters": 7},
    ],
    ids=repr,
)
def test_a_malformed_event_is_a_problem_400(kind: HttpKind, change: JsonObject) -> None:
    event = event_of(ONE_OF_EACH[kind])
    event.update({name: value for name, value in change.items() if name in event})
    answer = answered(event, kind)
    assert answer["statusCode"] == 400
    written = answer.get("headers") or answer["multiValueHeaders"]
    assert isinstance(written, dict)
    assert written["Content-Type"] in ("application/problem+json", ["application/problem+json"])
    problem = json.loads(str(answer["body"]))
    assert (problem["status"], problem["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (HttpKind.HTTP_API, {"rawQueryString": "a=%zz"}),
        (HttpKind.HTTP_API, {"rawQueryString": "a=%ff"}),
        (HttpKind.HTTP_API, {"rawQueryString": "&".join(f"p{n}=1" for n in range(101))}),
        (HttpKind.HTTP_API, {"cookies": "session=abc"}),
        (HttpKind.HTTP_API, {"cookies": [None]}),
        (HttpKind.FUNCTION_URL, {"rawPath": "/%zz"}),
        (HttpKind.FUNCTION_URL, {"rawPath": "/%ff"}),
        (HttpKind.FUNCTION_URL, {"rawPath": "/%00"}),
        (HttpKind.REST_API, {"path": "/%"}),
        (HttpKind.REST_API, {"multiValueQueryStringParameters": {"a": ["\x00"]}}),
        (HttpKind.REST_API, {"multiValueQueryStringParameters": {"a": ["\ud800"]}}),
        (HttpKind.REST_API, {"multiValueQueryStringParameters": {"a": "b"}}),
        (HttpKind.ALB, {"path": "/%e4"}),
        (HttpKind.ALB, {"queryStringParameters": {"a": "%"}}),
        (HttpKind.ALB, {"queryStringParameters": {"%ff": "a"}}),
        (HttpKind.ALB, {"queryStringParameters": {"a": None}}),
    ],
)
def test_what_can_not_be_decoded_is_refused(kind: HttpKind, change: JsonObject) -> None:
    event = event_of(ONE_OF_EACH[kind]) | change
    with pytest.raises(BadRequest):
        decode(event, kind)


def test_an_ampersand_in_a_balancer_s_parameter_begins_no_other() -> None:
    event = event_of("alb_get") | {"queryStringParameters": {"word": "a&number=7"}}
    assert decode(event, HttpKind.ALB).query == {"word": ("a&number=7",)}


def test_only_the_last_address_forwarded_by_a_balancer_counts() -> None:
    event = event_of("alb_multi_post")
    headers = cast("JsonObject", event["multiValueHeaders"])
    headers["x-forwarded-for"] = ["192.0.2.1, 192.0.2.2", "203.0.113.5,198.51.100.9"]
    assert decode(event, HttpKind.ALB_MULTI).client == "198.51.100.9"


def test_a_forwarded_header_does_not_change_the_client_of_an_api() -> None:
    event = event_of("http_api_get")
    cast("JsonObject", event["headers"])["x-forwarded-for"] = "192.0.2.1"
    assert decode(event, HttpKind.HTTP_API).client == "198.51.100.7"


def test_a_request_has_the_gateway_s_id_unless_it_brings_one() -> None:
    for given, shown in ((None, "JKJ-XmP_vHcESHA"), ("mine.1", "mine.1")):
        event = event_of("http_api_get")
        if given is not None:
            cast("JsonObject", event["headers"])["X-Request-Id"] = given
        written = answered(event, HttpKind.HTTP_API)["headers"]
        assert isinstance(written, dict)
        assert written["X-Request-Id"] == shown


@pytest.mark.parametrize(
    "given", ["a b", "", "x" * 129, "\r\nSet-Cookie: a=1", "\ud800", None, 7, []]
)
def test_an_id_of_the_gateway_that_is_none_is_replaced(given: Json) -> None:
    event = event_of("http_api_get")
    cast("JsonObject", event["requestContext"])["requestId"] = given
    written = answered(event, HttpKind.HTTP_API)["headers"]
    assert isinstance(written, dict)
    assert str(written["X-Request-Id"]).startswith("req_")


def test_header_names_that_differ_in_case_are_one_header() -> None:
    event = event_of("http_api_get") | {"headers": {"X-One": "1", "x-one": "2", "Two": "3"}}
    headers = decode(event, HttpKind.HTTP_API).headers
    assert (headers["x-one"], headers["two"]) == (("1", "2"), ("3",))


def test_a_stage_is_taken_off_once_and_only_as_a_whole_segment() -> None:
    def path(raw: str) -> str:
        event = event_of("http_api_named_stage") | {"rawPath": raw}
        return decode(event, HttpKind.HTTP_API).path

    assert path("/live/live/a") == "/live/a"
    assert path("/lively/a") == "/lively/a"
    assert path("/live/") == "/"


@pytest.mark.parametrize("kind", [HttpKind.HTTP_API, HttpKind.REST_API, HttpKind.ALB_MULTI])
@pytest.mark.parametrize("encoded", [True, False])
def test_a_body_beyond_the_limit_is_refused_without_being_decoded(
    kind: HttpKind, encoded: bool
) -> None:
    # Base64 of which no four characters can be decoded: it is judged by its length alone.
    event = event_of(ONE_OF_EACH[kind])
    event |= {"isBase64Encoded": encoded, "body": "?" * (2 * MAX_BODY)}
    assert answered(event, kind)["statusCode"] == 413


def test_a_base64_body_may_be_as_large_as_the_limit() -> None:
    for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
        body = b'{"text":"' + b"x" * (size - 11) + b'"}'
        event = event_of("http_api_json_body")
        event |= {"isBase64Encoded": True, "body": base64.b64encode(body).decode()}
        assert answered(event, HttpKind.HTTP_API)["statusCode"] == status


@pytest.mark.parametrize("kind", list(HttpKind))
@pytest.mark.parametrize("fill", [b"x", "é".encode(), "😀".encode(), b"\x01", b'"', b"\xff"])
def test_an_answer_that_lambda_would_not_send_is_a_clear_500(kind: HttpKind, fill: bytes) -> None:
    most = MOST_BYTES_ALB if kind in {HttpKind.ALB, HttpKind.ALB_MULTI} else MOST_BYTES
    one = (len(json.dumps(encode(Response(200, body=fill * 3000), kind)["body"])) - 2) / 3000
    fits = Response(200, {"X-Request-Id": "req_1"}, fill * int((most - 2000) / one))
    assert len(json.dumps(encode(fits, kind))) <= most
    assert encode(fits, kind)["statusCode"] == 200
    larger = encode(Response(200, fits.headers, fits.body + fill * 3000), kind)
    assert larger["statusCode"] == 500
    problem = json.loads(str(larger["body"]))
    assert (problem["code"], problem["instance"]) == ("response_too_large", "req_1")


def test_refusals_of_the_edge_are_logged() -> None:
    lines: list[str] = []
    host = MemoryHost(app(), HostOptions(log=discard))
    dispatcher = Dispatcher(host.app, host.ports, Log(host.ports.clock, lines.append))
    answer_http(dispatcher, {"rawPath": "/"}, HttpKind.HTTP_API)
    event = event_of("http_api_get") | {"rawPath": "/much"}
    assert answer_http(dispatcher, event, HttpKind.HTTP_API)["statusCode"] == 500
    said = [json.loads(line)["event"] for line in lines]
    assert said == ["unreadable event", "request", "the answer is too large"]


def answered(event: JsonObject, kind: HttpKind) -> JsonObject:
    with MemoryHost(app(), HostOptions(log=discard)) as host:
        return answer_http(host.dispatcher, event, kind)
