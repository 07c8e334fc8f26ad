"""What functions-framework hands over becomes a request or a refusal, never an error of ours."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import pytest
from werkzeug.wrappers import Request as FlaskRequest
from werkzeug.wrappers import Response as FlaskResponse

from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.http import MAX_BODY, Response
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError
from cartwheel.testing._http_app import http_app
from cartwheel_gcp import http_function
from cartwheel_gcp._http import decode_request, encode_response
from cartwheel_memory import MemoryHost

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SEED = 20260101
RANDOM = 2000


class Broken(io.BytesIO):
    """Is the body of a sender who goes away: a server's stream raises in the middle."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Give half, then fail."""
        if self.tell():
            raise OSError("connection reset by peer")
        return super().read(max(1, (size or 2) // 2) if size != -1 else 1)


def quiet_host(app: App) -> Host:
    return MemoryHost(app, HostOptions(log=discard))


@cache
def handle() -> Callable[[FlaskRequest], FlaskResponse]:
    return http_function(http_app(), quiet_host, log=discard)


def environ(target: str = "/seen/word", method: str = "GET", body: bytes = b"") -> WSGIEnvironment:
    """Make what gunicorn makes of a request."""
    path, _, query = target.partition("?")
    made: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "169.254.1.1",
        "HTTP_HOST": "shop.example.org",
        "HTTP_X_FORWARDED_FOR": "203.0.113.9,198.51.100.7",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
    }
    if body:
        made |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return made


def ask(given: WSGIEnvironment) -> FlaskResponse:
    return handle()(FlaskRequest(given))


def post(body: bytes = b'{"text":"a"}', **changed: object) -> WSGIEnvironment:
    return environ("/seen/word", "POST", body) | changed


def get(target: str = "/seen/word", **changed: object) -> WSGIEnvironment:
    return environ(target) | changed


def without(given: WSGIEnvironment, *names: str) -> WSGIEnvironment:
    return {name: value for name, value in given.items() if name not in names}


HIDDEN = {"HTTP_CONTENT_TYPE": "application/json"}
CORRUPTED: list[tuple[str, int, WSGIEnvironment]] = [
    ("no target at all", 404, without(get(), "RAW_URI", "PATH_INFO", "QUERY_STRING")),
    ("an empty target", 404, get("", PATH_INFO="")),
    ("an asterisk", 400, get("*")),
    ("an authority", 400, get("shop.example.org:443")),
    ("no leading slash", 400, get("seen/word")),
    ("a target of another origin's root", 404, get("http://shop.example.org")),
    ("a query after an origin", 404, get("http://shop.example.org?word=a")),
    ("a cut escape", 400, get("/seen/%")),
    ("half an escape", 400, get("/seen/%4")),
    ("an escape of letters", 400, get("/seen/%zz")),
    ("a byte that is no UTF-8", 400, get("/seen/%ff")),
    ("the same byte unescaped", 400, get("/seen/\xff")),
    ("an overlong slash", 400, get("/seen/%c0%af")),
    ("a surrogate in UTF-8", 400, get("/seen/%ed%a0%80")),
    ("a character beyond a byte", 400, get(RAW_URI="/seen/\u65e5")),
    ("a lone surrogate", 400, get(RAW_URI="/seen/\udc80")),
    ("a NUL", 400, get("/seen/%00")),
    ("a line break", 400, get("/seen/a%0d%0aX-Kit:%20b")),
    ("a delete character", 400, get("/seen/%7f")),
    ("a slash in a parameter", 404, get("/seen/a%2Fb")),
    ("two leading slashes", 404, get("//seen/word")),
    ("dots", 404, get("/../seen/word")),
    ("a bad escape in the query", 400, get("/seen?word=%")),
    ("no UTF-8 in the query", 400, get("/seen?word=%ff")),
    ("a NUL in the query", 400, get("/seen?word=%00")),
    ("101 parameters", 400, get("/seen?" + "&".join(["word=a"] * 101))),
    ("an unknown parameter", 422, get("/seen?nobody=1")),
    ("a query where there is none", 422, get("/seen/word?word=a")),
    ("a method of nobody", 405, get(REQUEST_METHOD="BREW")),
    ("no method", 405, get(REQUEST_METHOD="")),
    ("a method that is no word", 405, get(REQUEST_METHOD="\xff\x00")),
    ("a length that is a word", 400, post(CONTENT_LENGTH="ten")),
    ("a negative length", 400, post(CONTENT_LENGTH="-1")),
    ("a signed length", 400, post(CONTENT_LENGTH="+12")),
    ("a length in other digits", 400, post(CONTENT_LENGTH="\u0661\u0662")),
    ("a length of 5000 digits", 400, post(CONTENT_LENGTH="9" * 5000)),
    ("a length beyond the body", 400, post(CONTENT_LENGTH="13")),
    ("a length within the body", 400, post(CONTENT_LENGTH="11")),
    ("a length beyond all limits", 413, post(CONTENT_LENGTH="9" * 18)),
    ("a body beyond the limit", 413, post(b" " * (MAX_BODY + 1))),
    ("an endless body", 413, without(post(b" " * (6 * 1024 * 1024)), "CONTENT_LENGTH")),
    ("a body that breaks off", 400, post() | {"wsgi.input": Broken(b'{"text":"a"}')}),
    ("no stream", 400, without(post(), "wsgi.input")),
    (
        "a body without an end or a length",
        400,
        without(post(), "CONTENT_LENGTH", "wsgi.input_terminated"),
    ),
    ("a body of a GET", 400, get(CONTENT_LENGTH="2") | {"wsgi.input": io.BytesIO(b"{}")}),
    ("another type", 415, post(CONTENT_TYPE="text/plain")),
    ("a type that is no type", 415, post(CONTENT_TYPE="\xff;;=")),
    ("no type", 415, without(post(), "CONTENT_TYPE")),
    ("another character set", 415, post(CONTENT_TYPE="application/json; charset=utf-16")),
    (
        "a type in a header of its own",
        415,
        post(CONTENT_TYPE="") | HIDDEN,
    ),
    ("no JSON", 400, post(b"\xff\xfe")),
    ("nested too deep", 400, post(b"[" * 100_000)),
    ("the same key twice", 400, post(b'{"text":"a","text":"b"}')),
]


@pytest.mark.parametrize(
    ("status", "given"), [case[1:] for case in CORRUPTED], ids=[case[0] for case in CORRUPTED]
)
def test_a_corrupted_request_is_refused_with_a_problem(status: int, given: WSGIEnvironment) -> None:
    assert len(CORRUPTED) >= 40
    answer = ask(given)
    assert answer.status_code == status, answer.get_data()
    demand_problem(answer)


def demand_problem(answer: FlaskResponse) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.get_data())["status"] == answer.status_code


def test_2000_random_corruptions_get_no_answer_of_the_500s() -> None:
    generator = random.Random(SEED)
    statuses: Counter[int] = Counter()
    for _ in range(RANDOM):
        given = environ("/seen/word", "POST", b'{"text":"a"}')
        for _ in range(generator.randint(1, 4)):
            generator.choice(CHANGES)(generator, given)
        answer = ask(given)
        statuses[answer.status_code] += 1
        if answer.status_code >= 400 and given.get("REQUEST_METHOD", "").upper() != "HEAD":
            demand_problem(answer)
    print(f"{RANDOM} corruptions, seed {SEED}: {dict(sorted(statuses.items()))}")
    assert sum(statuses.values()) == RANDOM
    assert max(statuses) < 500
    assert min(statuses[status] for status in (200, 400, 404, 405, 413, 415, 422)) > 0


def change_target(generator: random.Random, given: WSGIEnvironment) -> None:
    start = generator.choice(["/seen/", "/seen?", "/seen?word=", "/", "//", "", "http://x/seen/"])
    given["RAW_URI"] = start + noise(generator)


def change_method(generator: random.Random, given: WSGIEnvironment) -> None:
    known = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "get"]
    given["REQUEST_METHOD"] = generator.choice([*known, noise(generator)])


def change_length(generator: random.Random, given: WSGIEnvironment) -> None:
    sizes = ["", "0", "1", "11", "13", "-1", "1e3", "0x10", " 12", "12,12", "9" * 30, "300000"]
    given["CONTENT_LENGTH"] = generator.choice([*sizes, noise(generator)])


def change_type(generator: random.Random, given: WSGIEnvironment) -> None:
    given["CONTENT_TYPE"] = generator.choice(
        ["", "text/html", "application/json;", noise(generator)]
    )


def change_body(generator: random.Random, given: WSGIEnvironment) -> None:
    plain = bytearray(b'{"text":"a"}')
    for _ in range(generator.randint(0, 3)):
        plain[generator.randrange(len(plain))] = generator.randrange(256)
    bodies = [bytes(plain), generator.randbytes(generator.randint(0, 50)), b"[" * 5000, b""]
    body = generator.choice([*bodies, b'{"text":1}', b" " * (MAX_BODY + 1)])
    given["wsgi.input"] = Broken(body) if generator.random() < 0.1 else io.BytesIO(body)
    if generator.random() < 0.7:
        given["CONTENT_LENGTH"] = str(len(body))


def change_header(generator: random.Random, given: WSGIEnvironment) -> None:
    names = ["HOST", "X_FORWARDED_FOR", "AUTHORIZATION", "TRACEPARENT", "X_REQUEST_ID", "ORIGIN"]
    name = generator.choice([*names, "IDEMPOTENCY_KEY", "IF_MATCH", "", noise(generator)])
    given[f"HTTP_{name}"] = noise(generator)


def drop(generator: random.Random, given: WSGIEnvironment) -> None:
    names = [name for name in given if name != "REQUEST_METHOD"]
    given.pop(generator.choice(names))


CHANGES = [
    change_target,
    change_method,
    change_length,
    change_type,
    change_body,
    change_header,
    drop,
]


def noise(generator: random.Random) -> str:
    """Make text of what breaks decoders: any byte, escapes, separators, and more than bytes."""
    signs = ["%", "%2", "%2F", "%00", "%ff", "/", "?", "&", "=", "+", "#", ",", "\r\n", " ", "a"]
    kinds = [
        lambda: chr(generator.randrange(256)),
        lambda: generator.choice(signs),
        lambda: chr(generator.randrange(0x110000)),
        lambda: "a" * generator.randint(1, 2000),
    ]
    weights = [6, 8, 1, 1]
    return "".join(generator.choices(kinds, weights)[0]() for _ in range(generator.randint(0, 12)))


def test_the_path_is_that_of_the_request_line_and_not_the_one_that_a_server_decoded() -> None:
    given = get("/seen/a%2520b?word=a%2Bb&word=c", PATH_INFO="/seen/a%20b")
    request = decode_request(given, 1)
    assert (request.path, request.query) == ("/seen/a%20b", {"word": ("a+b", "c")})
    del given["RAW_URI"]
    assert decode_request(dict(given, REQUEST_URI="/seen/other"), 1).path == "/seen/other"
    # A server that tells neither has decoded the path, once.
    assert decode_request(given, 1).path == "/seen/a%20b"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "client"),
    [
        ("203.0.113.9", 1, "203.0.113.9"),
        ("192.0.2.66, 203.0.113.9", 1, "203.0.113.9"),
        ("192.0.2.66,203.0.113.9,198.51.100.7", 2, "203.0.113.9"),
        ("203.0.113.9", 2, "169.254.1.1"),
        ("203.0.113.9", 0, "169.254.1.1"),
        ("192.0.2.66, ", 1, "169.254.1.1"),
        (None, 1, "169.254.1.1"),
    ],
)
def test_a_caller_is_known_by_what_the_proxies_wrote_and_not_by_what_it_wrote(
    forwarded: str | None, proxies: int, client: str
) -> None:
    given = without(get(), "HTTP_X_FORWARDED_FOR")
    if forwarded is not None:
        given["HTTP_X_FORWARDED_FOR"] = forwarded
    assert decode_request(given, proxies).client == client


def test_nothing_of_a_body_is_left_for_the_framework_to_read_into_memory() -> None:
    for body in (b'{"text":"a"}', b" " * (MAX_BODY + 1), b" " * (6 * 1024 * 1024)):
        given = post(body)
        ask(given)
        assert FlaskRequest(given).get_data() == b""


def test_a_body_far_beyond_the_limit_is_refused_before_it_is_read() -> None:
    stream = io.BytesIO(b" " * (6 * 1024 * 1024))
    given = post(CONTENT_LENGTH=str(6 * 1024 * 1024)) | {"wsgi.input": stream}
    assert ask(given).status_code == 413
    assert stream.tell() == 0


def test_an_answer_without_content_has_no_content_type() -> None:
    answer = encode_response(Response(204), "DELETE")
    assert (answer.status_code, list(answer.headers)) == (204, [])


def test_a_host_that_does_not_open_is_a_problem_that_tells_nothing_and_is_opened_again() -> None:
    lines: list[str] = []
    failures = [ConfigurationError("a secret place")]

    def open_host(app: App) -> Host:
        if failures:
            raise failures.pop()
        return quiet_host(app)

    function = http_function(http_app(), open_host, log=lines.append)
    assert lines == []
    answer = function(FlaskRequest(get()))
    assert answer.status_code == 500
    demand_problem(answer)
    assert b"secret" not in answer.get_data()
    assert [json.loads(line)["error"] for line in lines] == ["ConfigurationError: a secret place"]
    assert function(FlaskRequest(get())).status_code == 200
