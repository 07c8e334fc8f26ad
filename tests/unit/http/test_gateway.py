"""What a request gets for an answer, from path to log line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import (
    ANYONE,
    MAX_BODY,
    BadRequest,
    Forbidden,
    Gateway,
    NotFound,
    PreconditionFailed,
    Problem,
    Request,
    Response,
    TooManyRequests,
    Unauthenticated,
)
from cartwheel.log import Log
from cartwheel.ports import ConfigurationError, Conflict, DomainError, Json, Unavailable
from tests.unit.http.world import (
    CANARY,
    Echo,
    Loose,
    OrderView,
    OutOfStock,
    World,
    body_of,
    code_of,
)

ORDER: Json = {"items": [{"product_id": "p1", "quantity": 2}]}
PADDED = b'{"items":[],"note":"' + b"x" * (MAX_BODY - 22) + b'"}'
FAILED_BODIES: dict[str, tuple[bytes, int, str]] = {
    "none": (b"", 400, "bad_request"),
    "no JSON": (b"{", 400, "invalid_json"),
    "a float": (b'{"items":[{"product_id":"a","quantity":1.0}]}', 400, "invalid_json"),
    "a duplicate name": (b'{"items":[],"items":[]}', 400, "invalid_json"),
    "wrong fields": (b'{"itemz":[]}', 422, "invalid_request"),
    "one byte too many": (PADDED + b" ", 413, "payload_too_large"),
    "too many bytes of nothing": (b"\xff" * (MAX_BODY + 1), 413, "payload_too_large"),
}
FAILED_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json-seq",
    "application/json; charset=latin-1",
    "application/json; charset=utf-8; x=y",
    "application/jsonx",
    "",
)
READ_TYPES = ("application/json", "Application/JSON", 'application/json; charset="UTF-8"')
FAILED_TOKENS: dict[str, str | tuple[str, ...]] = {
    "no scheme": "ann",
    "another scheme": "Basic YW5uOng=",
    "no token": "Bearer",
    "an empty token": "Bearer ",
    "two tokens": "Bearer a b",
    "a quote": 'Bearer "a"',
    "an invalid token": "Bearer bad",
    "two headers": ("Bearer ann", "Bearer eve"),
    "nothing": "",
}


@pytest.fixture
def world() -> World:
    return World()


def test_a_model_goes_out_by_alias_with_the_routes_status(world: World) -> None:
    answer = world.send("POST", "/orders", ORDER)
    assert (answer.status, body_of(answer)) == (201, {"order_id": "ord_1", "class": "plain"})
    assert answer.header("content-type") == "application/json"
    assert answer.header("Location") == "/orders/ord_1"


def test_nothing_to_say_is_204(world: World) -> None:
    answer = world.send("DELETE", "/orders/o1")
    assert (answer.status, answer.body) == (204, b"")


def test_path_parameters_arrive_by_name(world: World) -> None:
    answer = world.send("GET", "/orders/o 1/lines/%2F")
    assert body_of(answer) == {"data": {"order_id": "o 1", "line_id": "%2F"}}


def test_a_literal_beats_a_parameter(world: World) -> None:
    assert body_of(world.send("GET", "/orders/newest"))["order_id"] == "newest"


def test_a_query_arrives_as_its_model(world: World) -> None:
    answer = world.send("GET", "/orders", query={"limit": ("5",), "from": ("2026-01-02",)})
    data = body_of(answer)["data"]
    assert isinstance(data, dict)
    assert (data["limit"], data["from"]) == (5, "2026-01-02")


@pytest.mark.parametrize("path", ["/nowhere", "/orders/", "//orders", "", "*", "/orders/o1/"])
def test_an_unknown_path_is_404(world: World, path: str) -> None:
    answer = world.send("GET", path)
    assert (answer.status, code_of(answer)) == (404, "not_found")


@pytest.mark.parametrize("path", ["/orders/\x00", "/orders/a\nb", "/orders/\udcff", "/\x7f"])
def test_a_path_with_what_no_id_holds_is_400(world: World, path: str) -> None:
    assert world.send("GET", path).status == 400


@pytest.mark.parametrize("method", ["DELETE", "BREW", "get", "TRACE", "", "\udcff"])
def test_another_method_is_405_with_those_allowed(world: World, method: str) -> None:
    answer = world.send(method, "/orders")
    assert (answer.status, code_of(answer)) == (405, "method_not_allowed")
    assert answer.header("Allow") == "GET, HEAD, OPTIONS, POST"


def test_options_tells_what_is_allowed(world: World) -> None:
    answer = world.send("OPTIONS", "/orders/o1")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("Allow") == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert world.send("OPTIONS", "/nowhere").status == 404


def test_head_is_get_without_the_body(world: World) -> None:
    get, head = world.send("GET", "/orders/o1"), world.send("HEAD", "/orders/o1")
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == str(len(get.body))
    assert world.send("HEAD", "/nowhere").body == b""
    assert world.send("HEAD", "/login").status == 405


@pytest.mark.parametrize("what", FAILED_BODIES)
def test_a_body_that_does_not_fit_is_refused(world: World, what: str) -> None:
    body, status, code = FAILED_BODIES[what]
    answer = world.send("POST", "/orders", body)
    assert (answer.status, code_of(answer)) == (status, code)


def test_the_largest_body_is_read(world: World) -> None:
    assert len(PADDED) == MAX_BODY
    assert world.send("POST", "/orders", PADDED).status == 201


def test_a_body_where_none_is_taken_is_refused(world: World) -> None:
    assert world.send("GET", "/orders", b"{}").status == 400
    assert world.send("GET", "/health", b"x" * (MAX_BODY + 1)).status == 413


@pytest.mark.parametrize("type", FAILED_TYPES)
def test_another_content_type_is_415(world: World, type: str) -> None:
    answer = world.send("POST", "/orders", ORDER, headers={"content-type": type})
    assert (answer.status, code_of(answer)) == (415, "unsupported_media_type")


def test_two_content_types_are_415(world: World) -> None:
    types = ("application/json", "application/json")
    assert world.send("POST", "/orders", ORDER, headers={"content-type": types}).status == 415


@pytest.mark.parametrize("type", READ_TYPES)
def test_json_is_read_however_it_is_declared(world: World, type: str) -> None:
    assert world.send("POST", "/orders", ORDER, headers={"content-type": type}).status == 201


def test_an_unknown_parameter_is_refused_where_none_is_taken(world: World) -> None:
    answer = world.send("GET", "/orders/o1", query={"verbose": ("1",)})
    assert (answer.status, code_of(answer)) == (422, "invalid_request")
    assert body_of(answer)["errors"] == [
        {
            "parameter": "verbose",
            "message": "Extra inputs are not permitted",
            "code": "extra_forbidden",
        }
    ]


def test_a_refused_password_is_echoed_nowhere(world: World) -> None:
    answer = world.send("POST", "/login", {"password": CANARY})
    assert answer.status == 422
    long = world.send("POST", "/login", {"password": CANARY * 3})
    assert body_of(long)["errors"] == [
        {"pointer": "#/password", "message": "must not have blanks", "code": "value_error"}
    ]
    for text in (answer.body.decode(), long.body.decode(), *world.lines):
        assert CANARY not in text


@pytest.mark.parametrize("what", FAILED_TOKENS)
@pytest.mark.parametrize("path", ["/me", "/who"])
def test_a_token_that_is_not_valid_is_401_on_every_route(
    world: World, path: str, what: str
) -> None:
    answer = world.send("GET", path, headers={"authorization": FAILED_TOKENS[what]})
    assert (answer.status, code_of(answer)) == (401, "unauthenticated")
    assert answer.header("WWW-Authenticate") == "Bearer"


@pytest.mark.parametrize(
    ("path", "token", "status", "subject"),
    [("/me", "ann", 200, "ann"), ("/who", "ann", 200, "ann"), ("/who", "", 200, None)],
)
def test_a_valid_token_tells_who_asks(
    world: World, path: str, token: str, status: int, subject: str | None
) -> None:
    answer = world.send("GET", path, token=token)
    assert (answer.status, body_of(answer)["data"]) == (status, {"subject": subject})


def test_a_missing_token_is_401_and_the_scheme_has_no_case(world: World) -> None:
    assert world.send("GET", "/me").status == 401
    assert world.send("GET", "/me", headers={"authorization": "bEARER ann"}).status == 200


def test_permission_comes_before_the_body(world: World) -> None:
    assert world.send("POST", "/staff", b"{").status == 401
    assert world.send("POST", "/staff", b"{", token="eve").status == 403
    assert world.send("POST", "/staff", b"{", token="sam").status == 400
    assert world.send("POST", "/staff", ORDER, token="sam").status == 201


def test_an_authenticator_that_cannot_tell_is_503(world: World) -> None:
    assert world.send("GET", "/me", token="down").status == 503


def _raise(error: BaseException) -> Callable[[Context], object]:
    def behave(_: Context) -> object:
        raise error

    return behave


RAISED: dict[str, tuple[Exception, int, str, Mapping[str, str]]] = {
    "a domain error": (OutOfStock("none left"), 409, "out_of_stock", {}),
    "not found": (NotFound("no such thing"), 404, "not_found", {}),
    "forbidden": (Forbidden("not yours"), 403, "forbidden", {}),
    "bad request": (BadRequest("what?"), 400, "bad_request", {}),
    "precondition": (PreconditionFailed("old"), 412, "precondition_failed", {}),
    "unauthenticated": (
        Unauthenticated("who?"),
        401,
        "unauthenticated",
        {"WWW-Authenticate": "Bearer"},
    ),
    "too many": (
        TooManyRequests("slow down", retry_after=30),
        429,
        "too_many_requests",
        {"Retry-After": "30"},
    ),
    "unavailable": (Unavailable("no answer"), 503, "unavailable", {"Retry-After": "1"}),
    "a conflict": (Conflict("orders", "o1", ("order",)), 409, "conflict", {}),
    "a bug": (ZeroDivisionError("1/0"), 500, "internal", {}),
}


@pytest.mark.parametrize("what", RAISED)
def test_what_a_handler_raises_becomes_a_problem(world: World, what: str) -> None:
    error, status, code, headers = RAISED[what]
    world.behaviour = _raise(error)
    answer = world.send("GET", "/anything")
    told = body_of(answer)
    assert (answer.status, code_of(answer)) == (status, code)
    assert (told["status"], told["type"]) == (status, f"urn:cartwheel:problem:{code}")
    assert told["instance"] == answer.header("X-Request-Id")
    assert isinstance(told["title"], str)
    assert {name: answer.header(name) for name in headers} == headers


def test_a_bug_is_told_to_the_log_alone(world: World) -> None:
    world.behaviour = _raise(ZeroDivisionError("secret internals"))
    answer = world.send("GET", "/anything")
    assert b"secret" not in answer.body
    assert "detail" not in body_of(answer)
    line = json.loads(world.lines[0])
    assert "ZeroDivisionError: secret internals" in line["stack"]
    assert line["request_id"] == answer.header("X-Request-Id")


def test_details_of_an_error_are_members_and_never_the_standard_ones(world: World) -> None:
    told = body_of(world.send("POST", "/orders", {"items": [], "note": "gone"}))
    assert (told["available"], told["status"], told["detail"]) == (1, 409, "only 1 left")


@pytest.mark.parametrize("result", [{"a": 1}, "text", b"bytes", 3, object()])
def test_an_answer_of_another_kind_is_a_bug(world: World, result: object) -> None:
    world.behaviour = lambda _: result
    assert world.send("GET", "/anything").status == 500


def test_a_header_that_http_cannot_carry_is_a_bug(world: World) -> None:
    world.behaviour = lambda _: Response(200, {"Location": "/x\r\nSet-Cookie: a=b"})
    answer = world.send("GET", "/anything")
    assert (answer.status, answer.header("Location")) == (500, None)


def test_what_ends_the_process_is_not_held_up(world: World) -> None:
    world.behaviour = _raise(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.send("GET", "/anything")


def test_a_response_passes_as_it_is_and_keeps_its_own_policy(world: World) -> None:
    world.behaviour = lambda _: Response(
        200, {"content-type": "text/csv", "cache-control": "public"}, b"a,b"
    )
    answer = world.send("GET", "/anything")
    assert (answer.header("Content-Type"), answer.body) == ("text/csv", b"a,b")
    assert answer.header("Cache-Control") == "public"
    assert sum(name.lower() == "cache-control" for name in answer.headers) == 1


@pytest.mark.parametrize("path", ["/orders", "/me", "/nowhere", "/health"])
def test_every_answer_carries_the_security_headers(world: World, path: str) -> None:
    answer = world.send("GET", path)
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("given", ["abc", "A.b_c-1", "x" * 128])
def test_a_request_id_is_echoed(world: World, given: str) -> None:
    answer = world.send("GET", "/health", headers={"x-request-id": given})
    assert answer.header("X-Request-Id") == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\r\nb", "é", '"', "a\n"])
def test_another_request_id_is_replaced(world: World, given: str) -> None:
    answer = world.send("GET", "/health", headers={"x-request-id": given})
    assert answer.header("X-Request-Id") == "req_000001"


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (TRACE, True),
        (TRACE.upper(), False),
        ("ff" + TRACE[2:], False),
        (TRACE[:-3], False),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", False),
    ],
)
def test_a_valid_traceparent_is_in_the_log(world: World, given: str, kept: bool) -> None:
    world.send("GET", "/health", headers={"traceparent": given})
    assert (world.access[0].get("traceparent") == given) is kept


def test_the_access_log_is_one_line_a_request_without_what_is_private(world: World) -> None:
    order: Json = {"items": [], "note": CANARY}
    world.send("POST", "/staff", order, token="sam", query={"q": (CANARY,)})
    world.send("GET", f"/orders/{CANARY}")
    world.send("BREW", "/orders/o1")
    world.send("GET", f"/{CANARY}")
    lines = [
        (line["method"], line["route"], line["status"], line["subject"]) for line in world.access
    ]
    assert lines == [
        ("POST", "/staff", 422, "sam"),
        ("GET", "/orders/{order_id}", 200, ""),
        ("OTHER", "/orders/{order_id}", 405, ""),
        ("GET", "none", 404, ""),
    ]
    assert len(world.lines) == 4
    assert CANARY not in "".join(world.lines)
    assert set(world.access[0]) == {
        *("at", "level", "event", "request_id", "method", "route", "status", "ms", "subject")
    }


def test_the_access_log_counts_the_time(world: World) -> None:
    def slow(_: Context) -> object:
        world.host.clock.advance(0.25)
        return OrderView(order_id="o1")

    world.behaviour = slow
    world.send("GET", "/anything")
    assert world.access[0]["ms"] == pytest.approx(250, abs=0.1)


def test_a_log_that_fails_costs_nobody_the_answer(world: World) -> None:
    def full(line: str) -> None:
        raise OSError("no space left on device")

    gateway = Gateway(world.app, world.host.ports, Log(world.host.clock, full))
    world.behaviour = _raise(ZeroDivisionError())
    assert gateway(Request("GET", "/health")).status == 200
    assert gateway(Request("GET", "/anything")).status == 500


def test_health_is_told_to_anyone(world: World) -> None:
    answer = world.send("GET", "/health")
    assert (answer.status, body_of(answer)) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_the_gateways_own_paths_are_reserved(path: str) -> None:
    service = Service("rogue")

    @service.route("POST", path, permission=ANYONE)
    def own(ctx: Context) -> None:
        """Take a path that is taken."""

    with pytest.raises(ConfigurationError, match=f"POST {path} .rogue.own. is answered by"):
        App("rogue", services=(service,))


def test_a_gateway_with_a_loose_body_is_not_built(world: World) -> None:
    service = Service("loose")

    @service.route("POST", "/loose", permission=ANYONE)
    def loose(ctx: Context, body: Loose) -> None:
        """Take anything."""

    app = App("loose", services=(service,))
    with pytest.raises(ConfigurationError, match=r"route POST /loose .*Loose lets unknown fields"):
        Gateway(app, world.host.ports, Log(world.host.clock, world.lines.append))


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 428, "precondition_required"),
        ("", 428, "precondition_required"),
        ('"3"', 200, None),
        ('"2", "3"', 200, None),
        ("*", 200, None),
        ('"2"', 412, "precondition_failed"),
        ('W/"3"', 412, "precondition_failed"),
        ("3", 400, "bad_request"),
        ('"3', 400, "bad_request"),
    ],
)
def test_an_edit_names_the_version_it_was_made_from(
    world: World, header: str | None, status: int, code: str | None
) -> None:
    headers = {} if header is None else {"if-match": header}
    answer = world.send("PATCH", "/orders/o1", headers=headers)
    assert answer.status == status
    if code is None:
        assert answer.header("ETag") == '"4"'
    else:
        assert code_of(answer) == code


def test_every_problem_of_http_has_a_code_of_its_own() -> None:
    def below(error: type[DomainError]) -> set[type[DomainError]]:
        return {error}.union(*(below(sub) for sub in error.__subclasses__()))

    problems = below(Problem)
    assert len({error.code for error in problems}) == len(problems) > 10
    assert all(400 <= error.status < 500 and error.title for error in problems)


def test_the_dispatcher_answers_by_the_gateway(world: World) -> None:
    assert Echo.model_validate(body_of(world.send("GET", "/who"))).data == {"subject": None}
