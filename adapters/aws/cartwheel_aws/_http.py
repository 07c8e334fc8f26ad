"""Answers the events in which AWS hands an HTTP request to a function."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus

from cartwheel.dispatch import Dispatcher
from cartwheel.http import BadRequest, Response, problem
from cartwheel.ports import Json, JsonObject
from cartwheel_aws._http_events import FORMAT_2, HttpKind, decode

MOST_BYTES = 6 * 1024 * 1024
"""What a function may answer, as JSON; more is an error of the function that nobody can read."""
MOST_BYTES_ALB = 1_000_000
"""The same for a load balancer's target ("1 MB")."""

_ALB = (HttpKind.ALB, HttpKind.ALB_MULTI)
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
    headers: dict[str, Json] = {**response.headers}
    names = set(map(str.lower, headers))
    text, binary = _text(response.body, encoded="content-encoding" in names)
    encoded: JsonObject = {"statusCode": response.status, "body": text, "isBase64Encoded": binary}
    most = MOST_BYTES
    if kind in FORMAT_2:
        encoded["headers"] = headers
        if "set-cookie" in names:
            cookies = [name for name in response.headers if name.lower() == "set-cookie"]
            encoded["cookies"] = [headers.pop(name) for name in cookies]
    elif kind is HttpKind.ALB:
        encoded["headers"] = headers
    else:
        encoded["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    if kind in _ALB:
        encoded["statusDescription"] = _described(response.status)
        most = MOST_BYTES_ALB
    if len(text) * _LONGEST_ESCAPE + _ROOM > most and _size(encoded) > most:
        return encode(_too_large(response, most), kind)
    return encoded


def _text(body: bytes, *, encoded: bool) -> tuple[str, bool]:
    """Give a body as text and whether it had to be written as Base64 for that."""
    if not encoded:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


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
