"""Whatever the Functions host hands over becomes a request or a problem, never an exception."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable

import pytest

from cartwheel.host import HostOptions
from cartwheel.http import BadRequest, Request, Response
from cartwheel.log import discard
from cartwheel.testing._http_app import http_app
from cartwheel_azure import answer, http_functions, read_request
from cartwheel_memory import MemoryHost

functions = pytest.importorskip("azure.functions", reason="needs cartwheel[azure]")

URL = "http://shop.example/seen"
GOOD: dict[str, object] = {
    "method": "POST",
    "url": f"{URL}/word?",
    "headers": {"content-type": "application/json", "x-kit-one": "1"},
    "params": {},
    "route_params": {"path": "seen/word"},
    "body": b'{"text": "x"}',
}
GET: dict[str, object] = {**GOOD, "method": "GET", "body": b"", "headers": {}}
SEEN: dict[str, object] = {**GET, "route_params": {"path": "seen"}}
CORRUPTIONS: tuple[dict[str, object], ...] = (
    {**GOOD, "body": b""},
    {**GOOD, "body": b"{"},
    {**GOOD, "body": b"\xff\xfe"},
    {**GOOD, "body": b"[" * 5000},
    {**GOOD, "body": b'{"text": "a", "text": "b"}'},
    {**GOOD, "body": b'{"text": 1}'},
    {**GOOD, "body": b'{"text": "\\ud800"}'},
    {**GOOD, "body": b'{"text": NaN}'},
    {**GOOD, "body": b"x" * 300_000},
    {**GOOD, "headers": {}},
    {**GOOD, "headers": {"content-type": ""}},
    {**GOOD, "headers": {"content-type": "text/plain"}},
    {**GOOD, "headers": {"content-type": "application/json,application/json"}},
    {**GOOD, "headers": {"content-type": "application/json; charset=utf-16"}},
    {**GOOD, "headers": {"content-type": "application/json\x00"}},
    {**GOOD, "method": ""},
    {**GOOD, "method": "TRACE"},
    {**GOOD, "method": "G E T"},
    {**GOOD, "method": "\ud800"},
    {**GOOD, "method": "GET"},
    {**GOOD, "route_params": {}},
    {**GOOD, "route_params": {"path": ""}},
    {**GOOD, "route_params": {"path": "/"}},
    {**GOOD, "route_params": {"path": "//seen/word"}},
    {**GOOD, "route_params": {"path": "seen/a\x00b"}},
    {**GOOD, "route_params": {"path": "seen/a\x7fb"}},
    {**GOOD, "route_params": {"path": "seen/\ud800"}},
    {**GOOD, "route_params": {"path": "seen/" + "x/" * 5000}},
    {**GOOD, "route_params": {"other": "seen/word"}},
    {**SEEN, "url": ""},
    {**SEEN, "url": "?"},
    {**SEEN, "url": f"{URL}?word=%"},
    {**SEEN, "url": f"{URL}?word=%zz"},
    {**SEEN, "url": f"{URL}?word=%ff"},
    {**SEEN, "url": f"{URL}?word=%00"},
    {**SEEN, "url": f"{URL}?word=\ud800"},
    {**SEEN, "url": f"{URL}?word=\x01"},
    {**SEEN, "url": f"{URL}?number=1.5"},
    {**SEEN, "url": f"{URL}?number=1&number=2"},
    {**SEEN, "url": f"{URL}?unknown=1"},
    {**SEEN, "url": f"{URL}?=&=&&"},
    {**SEEN, "url": f"{URL}?" + "word=x&" * 101},
    {**SEEN, "url": f"http://[::1{URL}?word=a?b#c"},
)


def test_2000_random_and_43_made_corruptions_are_answered_with_problems_of_the_client() -> None:
    serve = MemoryHost(http_app(), HostOptions(log=discard)).dispatcher.http
    choose = random.Random(20)
    cases = [*CORRUPTIONS, *(_corrupted(choose) for _ in range(2000))]
    statuses: Counter[int] = Counter()
    for case in cases:
        done = answer(serve, functions.HttpRequest(**case))
        statuses[done.status_code] += 1
        assert done.status_code < 500, case
        if done.status_code >= 400:
            assert done.headers["content-type"] == "application/problem+json", case
            if case["method"] != "HEAD":
                assert json.loads(done.get_body())["status"] == done.status_code, case
        else:
            # What a corruption left whole is answered as it deserves.
            assert done.status_code in {200, 204}, case
    refused = sum(count for status, count in statuses.items() if status >= 400)
    print(f"{len(cases)} corruptions, {refused} refused: {dict(sorted(statuses.items()))}")
    assert len(cases) == 2000 + 43
    assert refused > 1500
    assert {400, 404, 405, 413, 415, 422} <= set(statuses)


def _corrupted(choose: random.Random) -> dict[str, object]:
    """Change a good request in one to three places."""
    case = dict(choose.choice([GOOD, GET, SEEN]))
    for _ in range(choose.randint(1, 3)):
        name = choose.choice(["method", "url", "headers", "route_params", "body"])
        match name:
            case "method":
                case[name] = choose.choice(["HEAD", "OPTIONS", "PUT", "BREW", "get", _text(choose)])
            case "url":
                case[name] = f"{case[name]}?{_text(choose)}=%{_text(choose)}"
            case "headers":
                made = {_text(choose): _text(choose) for _ in range(3)}
                case[name] = {**made, choose.choice(["content-type", "accept"]): _text(choose)}
            case "route_params":
                case[name] = {"path": f"seen/{_text(choose)}"}
            case _:
                body = bytearray(b'{"text": "some text"}')
                for _ in range(choose.randint(1, 4)):
                    body[choose.randrange(len(body))] = choose.randrange(256)
                case[name] = bytes(body)
    return case


def _text(choose: random.Random) -> str:
    alphabet = "abz09 /%&=?#;,\\\"'\x00\x1f\x7f\x85é\ud800\uffff😀"
    return "".join(choose.choices(alphabet, k=choose.randint(0, 8)))


def _request(**changes: object) -> Request:
    return read_request(functions.HttpRequest(**{**GET, **changes}))


def test_the_path_is_the_one_that_was_sent_also_when_the_url_says_otherwise() -> None:
    seen = _request(url="http://shop.example/seen/a%20b", route_params={"path": "seen/a%20b"})
    assert seen.path == "/seen/a%20b"


def test_parameters_come_from_the_query_string_as_it_was_sent() -> None:
    seen = _request(url=f"{URL}?a=1&a=2,3&b=", params={"a": "1,2,3"})
    assert seen.query == {"a": ("1", "2,3"), "b": ("",)}


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (None, ""),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6,203.0.113.9:4711", "203.0.113.9"),
        ("6.6.6.6, [2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_the_client_is_who_the_front_end_saw_not_who_a_header_claims(
    forwarded: str | None, client: str
) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert _request(headers=headers).client == client


def test_what_cannot_be_read_is_refused_before_the_application_sees_it() -> None:
    seen: list[Request] = []

    def serve(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    request = functions.HttpRequest(**{**GET, "url": f"{URL}?word=%"})
    with pytest.raises(BadRequest):
        read_request(request)
    assert answer(serve, request).status_code == 400
    assert seen == []


def test_the_function_takes_every_path_and_method_without_a_key_of_the_host() -> None:
    serve: Callable[[Request], Response] = lambda request: Response(204)  # noqa: E731  # short
    app = functions.FunctionApp()
    app.register_functions(http_functions(serve))
    (function,) = app.get_functions()
    trigger = function.get_trigger().get_dict_repr()
    assert function.get_function_name() == "http"
    assert trigger["route"] == "{*path}"
    assert str(trigger["authLevel"].value) == "anonymous"
    methods = [str(getattr(method, "value", method)) for method in trigger["methods"]]
    assert sorted(methods) == ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
