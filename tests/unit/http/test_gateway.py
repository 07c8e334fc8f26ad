"""What a request gets for an answer, by its path, its body and its headers."""

from __future__ import annotations

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import (
    ANYONE,
    MAX_BODY,
    Gateway,
    Response,
)
from cartwheel.log import Log
from cartwheel.ports import ConfigurationError
from tests.unit.http.world import (
    CANARY,
    ORDER,
    Loose,
    World,
    body_of,
    code_of,
)

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


def test_a_body_that_may_be_left_out_is_read_when_it_is_there(world: World) -> None:
    path = "/orders/o1/note"
    empty = world.send("POST", path)
    assert (empty.status, empty.json()) == (200, {"data": {"note": None}})
    assert world.send("POST", path, b'{"nonsense": 1}').status == 422
    assert world.send("POST", path, b"{").status == 400
    assert world.send("POST", path, b"null").status == 422


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
