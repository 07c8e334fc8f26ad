"""Who is refused, and how every refusal is told."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from cartwheel.http import (
    BadRequest,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Problem,
    Response,
    TooManyRequests,
    Unauthenticated,
)
from cartwheel.ports import Conflict, DomainError, Unavailable
from tests.unit.http.world import (
    ORDER,
    OutOfStock,
    World,
    body_of,
    code_of,
    raising,
)

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
    world.behaviour = raising(error)
    answer = world.send("GET", "/anything")
    told = body_of(answer)
    assert (answer.status, code_of(answer)) == (status, code)
    assert (told["status"], told["type"]) == (status, f"urn:cartwheel:problem:{code}")
    assert told["instance"] == answer.header("X-Request-Id")
    assert isinstance(told["title"], str)
    assert {name: answer.header(name) for name in headers} == headers


def test_a_bug_is_told_to_the_log_alone(world: World) -> None:
    world.behaviour = raising(ZeroDivisionError("secret internals"))
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
    world.behaviour = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.send("GET", "/anything")


def test_every_problem_of_http_has_a_code_of_its_own() -> None:
    def below(error: type[DomainError]) -> set[type[DomainError]]:
        return {error}.union(*(below(sub) for sub in error.__subclasses__()))

    problems = below(Problem)
    assert len({error.code for error in problems}) == len(problems) > 10
    assert all(400 <= error.status < 500 and error.title for error in problems)
