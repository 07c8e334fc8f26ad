"""Serves an application's routes: one request in, one response out, whatever happens."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from cartwheel.access import serving
from cartwheel.context import Context, Principal
from cartwheel.http._binding import QueryReader, refuse_query
from cartwheel.http._bodies import BodyReader
from cartwheel.http._idempotency import (
    Grant,
    IdempotencyGuard,
    context_key,
    idempotency_key,
    is_definite,
    request_hash,
)
from cartwheel.http._messages import Request, Response
from cartwheel.http._models import Reply
from cartwheel.http._problems import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
    UnsupportedMediaType,
    problem,
    refuse,
)
from cartwheel.http._router import Miss, Router
from cartwheel.log import Log
from cartwheel.ports import Conflict, DomainError, Json, Ports, Unavailable
from cartwheel.trace import Tracer, begin, enter, is_traceparent, leave

if TYPE_CHECKING:
    from cartwheel.app import App, Authenticator
    from cartwheel.declared import Route

MAX_BODY = 256 * 1024
"""Bytes of a body; more is refused before it is looked at."""
RETRY_SECONDS = 1
"""What Retry-After says when infrastructure did not answer."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")
_JSON_TYPE = re.compile(r'application/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE)
_PLAIN_JSON = ("application/json",)
_OF_A_MODEL = {"Content-Type": "application/json"}
"""The headers of most answers, which are told by identity."""
_UNREADABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class _Endpoint:
    route: Route
    body: BodyReader | None
    query: QueryReader | None


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    answer: Callable[[], Response]


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    service: str

    def answer(self) -> Response:
        """Refuse what the platform's gateway should have sent to another function."""
        raise NotFound(f"the service '{self.service}' has this path, not this one")


@dataclass(slots=True)
class _Seen:
    """Collects what the access log says about a request."""

    request_id: str
    log: Log
    pattern: str = ""
    subject: str = ""
    traceparent: str = ""
    allow: tuple[str, ...] = ()


class Gateway:
    """Answers requests by an application's routes; safe to call from several threads.

    With `service` it serves that service's routes only, as one of several functions behind a
    platform's gateway: the others' paths are known but not served. Building it raises
    ConfigurationError for models that are not strict.
    """

    def __init__(
        self,
        app: App,
        ports: Ports,
        log: Log,
        tracer: Tracer | None = None,
        *,
        service: str | None = None,
    ) -> None:
        self._app = app
        self._tracer = tracer
        self._ports = ports
        self._log = log
        self._guard = IdempotencyGuard(ports)
        security = app.security_headers
        self._security = {**_SECURITY, **(security.answer() if security is not None else {})}
        self._secured = frozenset(map(str.lower, self._security))
        self._of_a_model = Response(200, {**_OF_A_MODEL, **self._security}).headers
        self._router: Router[_Endpoint | _BuiltIn | _Elsewhere] = Router()
        self._router.add("GET", "/health", _BuiltIn(_healthy))
        self._router.add("GET", "/openapi.json", _BuiltIn(self._openapi))
        self._router.add("GET", "/docs", _BuiltIn(_docs))
        for route in app.routes:
            served = service is None or route.service == service
            endpoint = _endpoint(route) if served else _Elsewhere(route.service)
            self._router.add(route.method, route.path, endpoint)

    def __call__(self, request: Request) -> Response:
        """Answer a request; no exception leaves but those that end the process."""
        seen = self._identify(request)
        if self._tracer is not None:
            return self._traced(self._tracer, request, seen)
        # As PlainTracer would do it, without the objects of a span that nobody looks at.
        token = enter(seen.traceparent) if seen.traceparent else begin(seen.request_id)
        try:
            return self._answered(request, seen)
        finally:
            leave(token)

    def _traced(self, tracer: Tracer, request: Request, seen: _Seen) -> Response:
        method = _named(request.method)
        notes = {"http.request.method": method, "cartwheel.request_id": seen.request_id}
        with tracer.span("request", method, seen.traceparent, seen.request_id, notes) as span:
            response = self._answered(request, seen)
            span.note("http.route", seen.pattern or "none")
            span.note("http.response.status_code", response.status)
            return response

    def _answered(self, request: Request, seen: _Seen) -> Response:
        if self._log.silent:
            return self._settled(request, seen)
        started = self._ports.clock.now()
        response = self._settled(request, seen)
        took = self._ports.clock.now() - started
        _say(
            seen.log.info,
            "request",
            method=_named(request.method),
            route=seen.pattern or "none",
            status=response.status,
            ms=round(took * 1000, 1),
            subject=seen.subject,
        )
        return response

    def _settled(self, request: Request, seen: _Seen) -> Response:
        try:
            response = self._answer(request, seen)
        except Exception as error:  # noqa: BLE001  # the last line: every error becomes an answer
            response = self._refusal(error, seen)
        same_for_all = self._app.cors is None and request.method != "HEAD"
        if response.headers is _OF_A_MODEL and same_for_all:
            headers = {**self._of_a_model, "X-Request-Id": seen.request_id}
            return Response.known(response.status, headers, response.body)
        return self._finished(response, request, seen)

    def _finished(self, response: Response, request: Request, seen: _Seen) -> Response:
        """Add what every answer carries, without overwriting what the handler decided."""
        edge, known = self._security, self._secured
        if self._app.cors is not None:
            edge = edge | self._app.cors.answer(request, seen.allow)
            known = frozenset(map(str.lower, edge))
        headers = {**response.headers, **edge}
        given = set(map(str.lower, response.headers))
        if not given.isdisjoint(known):
            headers = dict(response.headers)
            headers.update({name: v for name, v in edge.items() if name.lower() not in given})
            if "vary" in given and "Vary" in edge:
                named = next(name for name in headers if name.lower() == "vary")
                headers[named] = f"{headers[named]}, {edge['Vary']}"
        headers["X-Request-Id"] = seen.request_id
        if request.method != "HEAD":
            return Response(response.status, headers, response.body)
        if response.status not in {204, 304}:
            headers["Content-Length"] = str(len(response.body))
        return Response(response.status, headers)

    def _identify(self, request: Request) -> _Seen:
        headers = request.headers
        given = headers["x-request-id"][-1] if "x-request-id" in headers else None
        request_id = given if given and _REQUEST_ID.fullmatch(given) else self._ports.ids.new("req")
        log = self._log.bind(request_id=request_id)
        trace = headers["traceparent"][-1] if "traceparent" in headers else None
        if trace and is_traceparent(trace):
            return _Seen(request_id, log.bind(traceparent=trace), traceparent=trace)
        return _Seen(request_id, log)

    def _answer(self, request: Request, seen: _Seen) -> Response:
        path = request.path
        if not (path.isascii() and path.isprintable()) and _UNREADABLE.search(path):
            raise BadRequest("the path holds a control character or bytes that are not UTF-8")
        found = self._router.find(request.method, path)
        seen.pattern, seen.allow = found.pattern, found.allow
        if not found.allow:
            raise NotFound("no route has this path; GET /openapi.json lists them")
        if request.method == "OPTIONS":
            return Response(204, {"Allow": ", ".join(found.allow)})
        if isinstance(found, Miss):
            allow = ", ".join(found.allow)
            raise MethodNotAllowed(f"this path takes {allow}", allow=found.allow)
        if len(request.body) > MAX_BODY:
            raise PayloadTooLarge(
                f"the body has {len(request.body)} bytes, at most {MAX_BODY} are read"
            )
        endpoint = found.endpoint
        if not isinstance(endpoint, _Endpoint):
            return endpoint.answer()
        before = serving.set(endpoint.route.service)
        try:
            return self._serve(endpoint, found.params, request, seen)
        finally:
            serving.reset(before)

    def _serve(
        self, endpoint: _Endpoint, params: Mapping[str, str], request: Request, seen: _Seen
    ) -> Response:
        route = endpoint.route
        ctx = Context(self._ports, seen.log, "", "", None, request)
        authenticate = self._app.authenticate
        if authenticate is not None:
            principal = _authenticated(authenticate, route, ctx, request)
            if principal is not None:
                seen.subject = principal.subject
                ctx = ctx._replace(principal=principal)
        key = idempotency_key(request) if route.idempotent else None
        arguments: dict[str, object] = {**params}
        body: Json = None
        if endpoint.body is None:
            if request.body:
                raise BadRequest("this route takes no body; send none")
        elif not request.body:
            if route.body_required:
                raise BadRequest("this route needs a JSON body")
            arguments["body"] = None
        else:
            _check_type(request.headers.get("content-type", ()))
            if key is None:
                arguments["body"] = endpoint.body.read(request.body)
            else:
                body, arguments["body"] = endpoint.body.read_both(request.body)
        if endpoint.query is not None:
            arguments["query"] = endpoint.query.read(request.query)
        elif request.query:
            refuse_query(request.query)
        if key is None:
            return _called(route, ctx, arguments)
        fingerprint = request_hash(request, body)
        return self._once(route, ctx, arguments, key=key, fingerprint=fingerprint, seen=seen)

    def _once(
        self,
        route: Route,
        ctx: Context,
        arguments: Mapping[str, object],
        *,
        key: str,
        fingerprint: str,
        seen: _Seen,
    ) -> Response:
        granted = self._guard.begin(route.name, seen.subject, key, fingerprint)
        if not isinstance(granted, Grant):
            return granted
        ctx = ctx._replace(key=context_key(route.name, seen.subject, key))
        definite = True
        try:
            response = _called(route, ctx, arguments)
        except Exception as error:  # noqa: BLE001  # an error has an answer too, kept or not
            response = self._refusal(error, seen)
            definite = isinstance(error, DomainError)
        if definite and is_definite(response.status):
            return self._guard.finish(granted, response)
        self._guard.leave_in_doubt(granted)
        return response

    def _refusal(self, error: Exception, seen: _Seen) -> Response:
        instance = seen.request_id
        if isinstance(error, DomainError):
            return refuse(error, instance)
        if isinstance(error, Conflict):
            _say(seen.log.warning, "conflict left a handler", route=seen.pattern, error=str(error))
            return problem(
                409,
                "conflict",
                "Somebody else changed the same thing",
                detail="read it again and decide anew",
                instance=instance,
            )
        if isinstance(error, Unavailable):
            _say(seen.log.warning, "unavailable", route=seen.pattern, error=str(error))
            return problem(
                503,
                "unavailable",
                "A part of the service did not answer",
                detail="nobody knows whether the request took effect; try the same one again",
                instance=instance,
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        fail = functools.partial(seen.log.failure, error=error)
        _say(fail, "request failed", route=seen.pattern)
        return problem(500, "internal", "The service has a fault", instance=instance)

    def _openapi(self) -> Response:
        return _json(self._document, {"Cache-Control": "no-cache"})

    @functools.cached_property
    def _document(self) -> bytes:
        from cartwheel.http._openapi import openapi

        return json.dumps(openapi(self._app), separators=(",", ":")).encode()


def _named(method: str) -> str:
    """Name a method where anything that is sent must not stand."""
    return method if method in _METHODS else "OTHER"


def _endpoint(route: Route) -> _Endpoint:
    where = f"route {route.method} {route.path} ({route.name})"
    return _Endpoint(
        route,
        BodyReader(where, route.body) if route.body is not None else None,
        QueryReader(where, route.query) if route.query is not None else None,
    )


def _authenticated(
    authenticate: Authenticator, route: Route, ctx: Context, request: Request
) -> Principal | None:
    given = request.headers.get("authorization", ())
    if not given:
        if route.permission.authenticated:
            raise Unauthenticated("send an access token: Authorization: Bearer ...")
        return None
    match = _BEARER.fullmatch(given[0])
    if match is None or len(given) > 1:
        raise Unauthenticated("the Authorization header is not one `Bearer` and a token")
    principal = authenticate(ctx, match[1])
    if route.permission.authenticated and not route.permission.allows(principal.roles):
        raise Forbidden(f"this needs the role {route.permission.name}")
    return principal


def _check_type(types: tuple[str, ...]) -> None:
    if types != _PLAIN_JSON and (len(types) != 1 or not _JSON_TYPE.fullmatch(types[0].strip())):
        raise UnsupportedMediaType("send the body as UTF-8 with Content-Type: application/json")


def _called(route: Route, ctx: Context, arguments: Mapping[str, object]) -> Response:
    result = route.handler(ctx, **arguments)
    status = route.status
    if type(result) is route.output:
        # What most are, and to ask pydantic whether something is a model takes a while.
        return Response.known(status, _OF_A_MODEL, _written(result))
    if isinstance(result, Response):
        return result
    headers: Mapping[str, str] = {}
    if isinstance(result, Reply):
        status = result.status or status
        headers = result.headers
        result = result.model
    if result is None:
        return Response(204, headers)
    if not isinstance(result, BaseModel):
        raise TypeError(
            f"{route.name} returned {type(result).__name__}; a handler returns a pydantic model, "
            "a Reply, a Response or None"
        )
    return _json(_written(result), headers, status)


def _written(model: BaseModel) -> bytes:
    return model.__pydantic_serializer__.to_json(model, by_alias=True)


def _json(body: bytes, headers: Mapping[str, str], status: int = 200) -> Response:
    return Response(status, {**_OF_A_MODEL, **headers}, body)


def _say(write: Callable[..., None], event: str, **fields: object) -> None:
    """Log without letting a full disk or a closed pipe cost the caller the answer."""
    try:  # noqa: SIM105  # every request comes this way, and `suppress` takes longer than a log
        write(event, **fields)
    except Exception:  # noqa: BLE001, S110  # there is nowhere left to say it
        pass


def _healthy() -> Response:
    return _json(b'{"status":"ok"}', {})


def _docs() -> Response:
    from cartwheel.http._docs import docs_page

    return docs_page()
