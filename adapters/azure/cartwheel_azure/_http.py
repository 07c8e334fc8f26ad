"""HTTP on Azure Functions: one function takes every path, the application's routes do the rest.

The host tells a function of a request in four ways, and each loses something:

- `req.route_params`: the path after the route's prefix, percent-decoded, all but `%2F`; used.
- `req.url`: the path is encoded anew from the decoded one, and what then looks like an escape is
  left as it is: `a%2520b` arrives as `a%20b`. The query string is as it was sent, and used.
- `req.params`: values of a repeated parameter are joined by commas, empty ones dropped; not used.
- `req.headers`: repeated headers are joined by commas, which HTTP allows (RFC 9110, 5.3).
"""

# No `annotations` from `__future__`: the worker reads the function's, which name a lazy import.
from collections.abc import Callable
from typing import TYPE_CHECKING

from cartwheel.http import BadRequest, Request, Response, problem, wire_query

if TYPE_CHECKING:
    from azure.functions import Blueprint, HttpRequest, HttpResponse

HTTP_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
HTTP_ROUTE = "{*path}"
"""Takes every path; `routePrefix` in host.json has to be empty for it to be the whole one."""


def http_functions(serve: "Callable[[Request], Response]") -> "Blueprint":
    """Make the functions that serve HTTP, to be registered in a function app.

    `serve` is the dispatcher's `http`. Keys of the host are not asked for: routes have permissions.
    """
    from azure import functions

    blueprint = functions.Blueprint()  # type: ignore[no-untyped-call]  # the SDK's own

    @blueprint.function_name("http")
    @blueprint.route(HTTP_ROUTE, methods=HTTP_METHODS, auth_level=functions.AuthLevel.ANONYMOUS)
    def http(req: functions.HttpRequest) -> functions.HttpResponse:
        return answer(serve, req)

    return blueprint


def answer(serve: "Callable[[Request], Response]", req: "HttpRequest") -> "HttpResponse":
    """Answer a request of the host; what cannot be read is a problem 400."""
    try:
        response = serve(read_request(req))
    except BadRequest as error:
        response = problem(error.status, error.problem_code, error.title, detail=error.message)
    return write_response(response)


def read_request(req: "HttpRequest") -> Request:
    """Decode a request of the host; raises BadRequest."""
    try:
        query = req.url.partition("?")[2].encode()
    except UnicodeEncodeError:
        raise BadRequest("the query is not UTF-8") from None
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in req.headers.items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    return Request(
        method=req.method,
        path="/" + (req.route_params.get("path") or ""),
        query=wire_query(query),
        headers=headers,
        body=req.get_body(),
        client=_client(headers.get("x-forwarded-for", ())),
    )


def write_response(response: Response) -> "HttpResponse":
    """Encode a response for the host."""
    from azure import functions

    return functions.HttpResponse(
        response.body, status_code=response.status, headers=dict(response.headers)
    )


def _client(forwarded: tuple[str, ...]) -> str:
    """Give the address that Azure's front end saw: it appends it, with the port."""
    last = ",".join(forwarded).rpartition(",")[2].strip()
    if last.startswith("["):
        return last[1:].partition("]")[0]
    return last.partition(":")[0] if last.count(":") == 1 else last
