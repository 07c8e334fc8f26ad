"""Plays what stands before a function on AWS: writes events as documented, reads the answers."""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
from collections.abc import Callable
from typing import cast
from urllib.parse import quote, unquote_to_bytes

from cartwheel.http import Request, Response
from cartwheel.ports import Json, JsonObject
from cartwheel.testing import target_of
from cartwheel_aws import HttpKind

CLIENT = "198.51.100.7"
STAGE = "live"

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


def send(
    kind: HttpKind, request: Request, function: Callable[[JsonObject], JsonObject]
) -> Response:
    """Send a request through the function and give what a client gets."""
    # Lambda hands both over as JSON text, and so does this.
    event = json.loads(json.dumps(event_of(kind, request)))
    answer = json.loads(json.dumps(function(event)))
    return response_of(kind, request, answer)


def event_of(kind: HttpKind, request: Request) -> JsonObject:
    """Write the event of a request."""
    if kind in {HttpKind.HTTP_API, HttpKind.FUNCTION_URL}:
        return _format_2(kind, request)
    return (
        _alb(kind, request)
        if kind in {HttpKind.ALB, HttpKind.ALB_MULTI}
        else _format_1(kind, request)
    )


def response_of(kind: HttpKind, request: Request, answer: JsonObject) -> Response:
    """Read a function's answer as strictly as the one that has asked for it."""
    status, text, binary = answer["statusCode"], answer["body"], answer["isBase64Encoded"]
    assert isinstance(status, int)
    assert isinstance(text, str)
    assert isinstance(binary, bool)
    known = {"statusCode", "body", "isBase64Encoded", "headers"}
    if kind in {HttpKind.HTTP_API, HttpKind.FUNCTION_URL}:
        known |= {"cookies"}
    elif kind is HttpKind.ALB:
        known |= {"statusDescription"}
    else:
        known |= {"multiValueHeaders", "statusDescription"}
    assert set(answer) <= known, f"{kind} knows no {set(answer) - known}"
    headers = dict(cast("dict[str, str]", answer.get("headers") or {}))
    if kind is HttpKind.ALB_MULTI:
        assert not headers, "with multi-value headers on, `headers` is ignored"
    for name, values in cast("dict[str, list[str]]", answer.get("multiValueHeaders", {})).items():
        assert len(values) == 1
        headers[name] = values[0]
    for cookie in cast("list[str]", answer.get("cookies", [])):
        headers["set-cookie"] = cookie
    assert all(isinstance(value, str) for value in headers.values())
    if kind in {HttpKind.ALB, HttpKind.ALB_MULTI}:
        assert str(answer["statusDescription"]).startswith(f"{status} ")
    body = base64.b64decode(text, validate=True) if binary else text.encode()
    return Response(status, headers, b"" if request.method == "HEAD" else body)


def _format_2(kind: HttpKind, request: Request) -> JsonObject:
    path, _, query = target_of(request).partition("?")
    headers: dict[str, str] = {}
    for name, values in request.headers.items():
        headers[name.lower()] = ",".join(values)
    cookies = headers.get("cookie")
    is_url = kind is HttpKind.FUNCTION_URL
    if cookies is not None and not is_url:
        del headers["cookie"]
    domain = (
        "u1a2b3.lambda-url.eu-central-1.on.aws"
        if is_url
        else "a1b2c3.execute-api.eu-central-1.amazonaws.com"
    )
    decoded = _http_api_path(path)
    http: JsonObject = {
        "method": request.method,
        "path": unquote_to_bytes(path).decode() if is_url else decoded,
        "protocol": "HTTP/1.1",
        "sourceIp": CLIENT,
        "userAgent": "",
    }
    text, binary = _body(request)
    event: JsonObject = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path if is_url else f"/{STAGE}{decoded}",
        "rawQueryString": query,
        "headers": dict(headers),
        "requestContext": {
            "domainName": domain,
            "http": http,
            "requestId": base64.b64encode(os.urandom(11)).decode(),
            "stage": "$default" if is_url else STAGE,
        },
        "isBase64Encoded": binary,
    }
    if request.query:
        event["queryStringParameters"] = {n: ",".join(v) for n, v in request.query.items()}
    if cookies is not None:
        event["cookies"] = list(cookies.split("; "))
    if text:
        event["body"] = text
    return event


def _format_1(kind: HttpKind, request: Request) -> JsonObject:
    path = target_of(request).partition("?")[0]
    text, binary = _body(request)
    multi = {name: list(values) for name, values in request.headers.items()}
    event: JsonObject = {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in multi.items()} or None,
        "multiValueHeaders": cast("Json", multi) or None,
        "queryStringParameters": {n: v[-1] for n, v in request.query.items()} or None,
        "multiValueQueryStringParameters": {n: list(v) for n, v in request.query.items()} or None,
        "requestContext": {
            "httpMethod": request.method,
            "identity": {"sourceIp": CLIENT, "userAgent": None},
            "path": f"/{STAGE}{path}",
            "requestId": str(uuid.uuid4()),
            "stage": STAGE,
        },
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "body": text or None,
        "isBase64Encoded": binary,
    }
    if kind is HttpKind.HTTP_API_V1:
        event |= {"version": "1.0", "path": f"/{STAGE}{_http_api_path(path)}"}
    return event


def _alb(kind: HttpKind, request: Request) -> JsonObject:
    headers = {name.lower(): list(values) for name, values in request.headers.items()}
    headers["x-forwarded-for"] = [f"203.0.113.9, {CLIENT}"]
    query = {
        quote(name, safe=""): [quote(value, safe="").replace("%20", "+") for value in values]
        for name, values in request.query.items()
    }
    text, binary = _body(request)
    event: JsonObject = {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:..."}},
        "httpMethod": request.method,
        "path": target_of(request).partition("?")[0],
        "body": text,
        "isBase64Encoded": binary,
    }
    if kind is HttpKind.ALB:
        return event | {
            "headers": {name: values[-1] for name, values in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in query.items()},
        }
    return event | {
        "multiValueHeaders": cast("Json", headers),
        "multiValueQueryStringParameters": cast("Json", query),
    }


def _http_api_path(path: str) -> str:
    """Decode a path as an HTTP API does: every escape but that of the percent sign."""
    return "%25".join(unquote_to_bytes(part).decode() for part in re.split("%25", path))


def _body(request: Request) -> tuple[str, bool]:
    kinds = request.headers.get("content-type", ("",))
    if kinds[-1].startswith(_TEXT_TYPES):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), bool(request.body)
