"""Turns the events in which AWS hands an HTTP request to a function into a Request, strictly.

Sources: "Create AWS Lambda proxy integrations for HTTP APIs" (formats 2.0 and 1.0), "Set up Lambda
proxy integrations" (REST APIs), "Invoking Lambda function URLs" and "Use Lambda functions as
targets of an Application Load Balancer" in the documentation of AWS.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from enum import StrEnum
from typing import cast

from cartwheel.http import (
    MAX_BODY,
    BadRequest,
    Request,
    gather_query,
    wire_parameter,
    wire_path,
    wire_query,
)
from cartwheel.ports import Json, JsonObject

_TOO_MUCH = bytes(MAX_BODY + 1)
"""Stands for a body beyond the limit, which is never decoded: the gateway refuses it by length."""
_MOST_BASE64 = (MAX_BODY + 2) // 3 * 4
_DEFAULT_STAGE = "$default"


class HttpKind(StrEnum):
    """Tells what has sent an event, as far as requests or answers are written differently."""

    HTTP_API = "http_api"
    HTTP_API_V1 = "http_api_v1"
    """An HTTP API whose integration asks for payload format 1.0."""
    FUNCTION_URL = "function_url"
    REST_API = "rest_api"
    ALB = "alb"
    ALB_MULTI = "alb_multi"
    """A load balancer whose target group has multi-value headers on."""


FORMAT_2 = (HttpKind.HTTP_API, HttpKind.FUNCTION_URL)


def http_kind(event: object) -> HttpKind | None:
    """Tell what has sent an HTTP request, by a key or two; None for every other event."""
    if not isinstance(event, dict):
        return None
    if "rawPath" in event:
        return HttpKind.FUNCTION_URL if _is_function_url(event) else HttpKind.HTTP_API
    if "httpMethod" not in event:
        return None
    context = event.get("requestContext")
    if isinstance(context, dict) and "elb" in context:
        return HttpKind.ALB if event.get("multiValueHeaders") is None else HttpKind.ALB_MULTI
    # Of the two only an HTTP API names the version of its format.
    return HttpKind.REST_API if event.get("version") is None else HttpKind.HTTP_API_V1


def decode(event: JsonObject, kind: HttpKind) -> Request:
    """Decode a request from an event of that kind; raises BadRequest for what can't be read."""
    if kind in FORMAT_2:
        return _format_2(event, kind)
    return _format_1(event, kind)


def _is_function_url(event: dict[object, object]) -> bool:
    context = event.get("requestContext")
    domain = context.get("domainName") if isinstance(context, dict) else None
    return isinstance(domain, str) and ".lambda-url." in domain


def _format_2(event: JsonObject, kind: HttpKind) -> Request:
    # Every request comes this way, so what is all of one kind is looked at together.
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    if not (isinstance(context, dict) and isinstance(http, dict)):
        raise BadRequest("the event's requestContext.http is no object")
    path, method = event.get("rawPath"), http.get("method")
    if not (isinstance(path, str) and isinstance(method, str)):
        raise BadRequest("the event's rawPath or requestContext.http.method is no text")
    if kind is HttpKind.FUNCTION_URL:
        path = wire_path(_bytes(path, "rawPath"))
    else:
        path = _decoded_path(path, context)
    headers = _single(event.get("headers"), "headers")
    cookies = event.get("cookies")
    if cookies is not None and (texts := _texts(cookies, "cookies")):
        # An HTTP API's headers lack them; a function URL's have them, too.
        headers["cookie"] = ("; ".join(texts),)
    _identify(headers, context)
    query = event.get("rawQueryString")
    asked = {} if query is None or query == "" else _query(query)
    return Request(method, path, asked, headers, _body(event), _client(http))


def _query(raw: Json) -> dict[str, tuple[str, ...]]:
    return wire_query(_bytes(_text(raw, "rawQueryString"), "rawQueryString"))


def _format_1(event: JsonObject, kind: HttpKind) -> Request:
    context = _object(event.get("requestContext"), "requestContext")
    path = _text(event.get("path"), "path")
    if kind is HttpKind.HTTP_API_V1:
        path = _decoded_path(path, context)
    else:
        path = wire_path(_bytes(path, "path"))
    if event.get("multiValueHeaders") is None:
        headers = _single(event.get("headers"), "headers")
    else:
        headers = _multiple(event["multiValueHeaders"], "multiValueHeaders")
    if kind is HttpKind.ALB or kind is HttpKind.ALB_MULTI:
        query = gather_query(
            (wire_parameter(_bytes(name, "query")), wire_parameter(_bytes(value, "query")))
            for name, value in _parameters(event)
        )
        # Only the last entry is the balancer's own; the others are what the caller says.
        client = headers.get("x-forwarded-for", ("",))[-1].rpartition(",")[2].strip()
    else:
        _identify(headers, context)
        query = gather_query(_parameters(event))
        identity = context.get("identity")
        client = "" if identity is None else _client(_object(identity, "requestContext.identity"))
    return Request(
        _text(event.get("httpMethod"), "httpMethod"),
        path,
        query=query,
        headers=headers,
        body=_body(event),
        client=client,
    )


def _identify(headers: dict[str, tuple[str, ...]], context: JsonObject) -> None:
    """Call a request that has no id by the gateway's, under which its access log has it."""
    given = context.get("requestId")
    if "x-request-id" not in headers and isinstance(given, str):
        # It may be Base64, of which a request's id has not every character.
        headers["x-request-id"] = (given.rstrip("=").replace("+", "-").replace("/", "_"),)


def _decoded_path(path: str, context: JsonObject) -> str:
    """Give the path that a route has, from one that an HTTP API has decoded already."""
    stage = context.get("stage")
    if stage is not None and stage != _DEFAULT_STAGE:
        prefix = f"/{_text(stage, 'requestContext.stage')}"
        if path == prefix or path.startswith(f"{prefix}/"):
            path = path[len(prefix) :] or "/"
    if not path.startswith("/"):
        raise BadRequest("the path must begin with a slash")
    # The gateway decodes every escape but that of the percent sign itself.
    return path.replace("%25", "%") if "%" in path else path


def _parameters(event: JsonObject) -> Iterator[tuple[str, str]]:
    multi = event.get("multiValueQueryStringParameters")
    if multi is not None:
        for name, values in _object(multi, "multiValueQueryStringParameters").items():
            for value in _texts(values, "multiValueQueryStringParameters"):
                yield name, value
        return
    single = event.get("queryStringParameters")
    if single is not None:
        for name, given in _object(single, "queryStringParameters").items():
            yield name, _text(given, "queryStringParameters")


def _single(given: Json, what: str) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    named = _object(given, what)
    texts = cast("dict[str, str]", named)
    try:
        # Says at the speed of C that every value is a text.
        "".join(texts.values())
    except TypeError:
        raise BadRequest(f"the event's {what} are no texts") from None
    names = "".join(named)
    if names == names.lower():
        # As formats 2.0 has them; more than one of a name can't be, then.
        return {name: (value,) for name, value in texts.items()}
    return _multiple({name: [value] for name, value in named.items()}, what)


def _multiple(given: Json, what: str) -> dict[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for key, values in _object(given, what).items():
        name = key.lower()
        if texts := _texts(values, what):
            headers[name] = (*headers.get(name, ()), *texts)
    return headers


def _body(event: JsonObject) -> bytes:
    body, encoded = event.get("body"), event.get("isBase64Encoded")
    if not (encoded is False or encoded is None or encoded is True):
        raise BadRequest("the event's isBase64Encoded is neither true nor false")
    if body is None:
        return b""
    text = _text(body, "body")
    if len(text) > (_MOST_BASE64 if encoded else MAX_BODY):
        return _TOO_MUCH
    if not encoded:
        return _bytes(text, "body")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadRequest(f"the event's body is not Base64: {error}") from error


def _client(source: JsonObject) -> str:
    address = source.get("sourceIp")
    return "" if address is None else _text(address, "sourceIp")


def _object(value: Json, what: str) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise BadRequest(f"the event's {what} is no object")


def _text(value: Json, what: str) -> str:
    if isinstance(value, str):
        return value
    raise BadRequest(f"the event's {what} is no text")


def _texts(value: Json, what: str) -> list[str]:
    if isinstance(value, list):
        try:
            "".join(cast("list[str]", value))
        except TypeError:
            pass
        else:
            return cast("list[str]", value)
    raise BadRequest(f"the event's {what} are no texts")


def _bytes(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"the event's {what} holds half a surrogate pair") from error
