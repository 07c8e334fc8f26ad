"""Answers the events in which AWS hands an HTTP request to a function."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus

from cartwheel.dispatch import Dispatcher
from cartwheel.http import BadRequest, Response, problem
from cartwheel.ports import Json, JsonObject
from cartwheel_aws._http_events import HttpKind, decode

MOST_BYTES = 6 * 1024 * 1024
"""What a function may answer, as JSON; more is an error of the function that nobody can read."""
MOST_BYTES_ALB = 1_000_000
"""The same for a load balancer's target ("1 MB")."""

_ALB = frozenset({HttpKind.ALB, HttpKind.ALB_MULTI})
_LONGEST_ESCAPE = 12
"""Characters that JSON needs at most for one."""
_ROOM = 64 * 1024
"""More than the status, the headers and the braces of an answer take."""


def answer_http(dispatcher: Dispatcher, event: JsonObject, kind: HttpKind) -> JsonObject:
    """Answer a request: whatever is in the event, there is an answer in the form that fits it."""
    try:
        request = decode(event, kind)
    except BadRequest as error:
        dispatcher.log.warning("unreadable event", kind=kind.value, reason=error.message)
        refused = problem(error.status, error.problem_code, error.title, detail=error.message)
        return encode(refused, kind)
    response = dispatcher.http(request)
    encoded = encode(response, kind)
    if encoded["statusCode"] != response.status:
        dispatcher.log.warning("the answer is too large", size=len(response.body))
    return encoded


def encode(response: Response, kind: HttpKind) -> JsonObject:
    """Write a response as what has sent the event wants it; one that is too large is a 500."""
    text, binary = _text(response)
    encoded: JsonObject = {
        "statusCode": response.status,
        "body": text,
        "isBase64Encoded": binary,
        **_headers(response, kind),
    }
    most = MOST_BYTES_ALB if kind in _ALB else MOST_BYTES
    if len(text) * _LONGEST_ESCAPE + _ROOM > most and _size(encoded) > most:
        return encode(_too_large(response, most), kind)
    return encoded


def _headers(response: Response, kind: HttpKind) -> JsonObject:
    headers: dict[str, Json] = dict(response.headers)
    if kind is HttpKind.HTTP_API or kind is HttpKind.FUNCTION_URL:
        if "set-cookie" not in map(str.lower, headers):
            return {"headers": headers}
        cookies = [headers.pop(name) for name in response.headers if name.lower() == "set-cookie"]
        return {"headers": headers, "cookies": cookies}
    if kind is HttpKind.ALB:
        return {"headers": headers, "statusDescription": _described(response.status)}
    multi: JsonObject = {"multiValueHeaders": {name: [headers[name]] for name in headers}}
    if kind is HttpKind.ALB_MULTI:
        multi["statusDescription"] = _described(response.status)
    return multi


def _text(response: Response) -> tuple[str, bool]:
    """Give the body as text and whether it had to be written as Base64 for that."""
    if "content-encoding" not in map(str.lower, response.headers):
        try:
            return response.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(response.body).decode(), True


def _described(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def _size(encoded: JsonObject) -> int:
    return len(json.dumps(encoded))


def _too_large(response: Response, most: int) -> Response:
    return problem(
        500,
        "response_too_large",
        "The answer is too large",
        detail=f"the answer has {len(response.body)} bytes, and {most} can be sent as JSON; "
        "ask for a page of it",
        instance=response.header("x-request-id") or "",
    )
