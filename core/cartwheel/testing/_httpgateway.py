"""What every HTTP gateway's adapter promises: requests and responses pass its edge unharmed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Literal, TypeAlias
from urllib.parse import quote, urlencode

import pytest

from cartwheel.host import Host
from cartwheel.http import MAX_BODY, Request, Response
from cartwheel.ports import Json
from cartwheel.testing._base import Contract, OpenHost
from cartwheel.testing._http_app import BINARY, LARGE, http_app

Send: TypeAlias = Callable[[Request], Response]
"""Sends a request through the adapter's edge and gives what comes back."""
Serve: TypeAlias = Callable[[Host], AbstractContextManager[Send]]
"""Opens the adapter's edge before a host for as long as the context lasts."""

PROBLEM = "application/problem+json"


def target_of(request: Request) -> str:
    """Write a request's path and query as they stand in a request line, percent-encoded."""
    pairs = [(name, value) for name, values in request.query.items() for value in values]
    query = urlencode(pairs, quote_via=quote, safe="")
    return quote(request.path, safe="/") + (f"?{query}" if query else "")


class HttpGatewayContract(Contract):
    """Holds an adapter's edge to what the framework promises of HTTP.

    Beside `open_host` it needs the fixture `serve: Serve`: a real client before the real gateway.
    """

    @pytest.fixture
    def send(self, open_host: OpenHost, serve: Serve) -> Iterator[Send]:
        """Give a function that sends a request."""
        with open_host(http_app()) as host, serve(host) as send:
            yield send

    def test_a_request_reaches_its_handler_and_the_answer_comes_back(self, send: Send) -> None:
        response = send(Request("GET", "/seen/word"))
        assert response.status == 200
        assert response.header("content-type") == "application/json"
        seen = _object(response)
        assert (seen["method"], seen["path"]) == ("GET", "/seen/word")
        assert seen["word"] == "word"
        assert (seen["query"], seen["headers"]) == ({}, {})
        assert seen["body"] == _digest(b"")

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    def test_a_body_reaches_its_handler_byte_by_byte(self, send: Send, method: str) -> None:
        text = 'ünï 😀 " \\ \n \u2028 end'
        for body in (_json(text), json.dumps({"text": text}, indent=3).encode()):
            response = send(_post(body, method))
            assert response.status == 200
            seen = _object(response)
            assert seen["method"] == method
            assert seen["body"] == _digest(body)
            assert seen["text"] == hashlib.sha256(text.encode()).hexdigest()

    @pytest.mark.parametrize(
        "word",
        [
            "a b",
            "a+b",
            "a%20b",
            "100%",
            "a?b",
            "a#b",
            "a&b=c",
            "a;b",
            "a:b@c",
            "a,b!$'()*",
            "ünïcödé",
            "日本語",
            "😀",
            "a\\b",
            '"quoted"',
            "~tilde_-.x",
            "{brace}",
            "UPPER",
        ],
        ids=ascii,
    )
    def test_a_path_parameter_may_hold_any_character(self, send: Send, word: str) -> None:
        seen = _object(send(Request("GET", f"/seen/{word}")))
        assert seen["word"] == word
        assert seen["path"] == f"/seen/{word}"

    @pytest.mark.parametrize(
        "words",
        [
            ("one",),
            ("one", "two", "one"),
            ("",),
            ("a b", "a+b", "a%2Bb", "a&b=c", "ünï 😀", "a/b?c#d"),
        ],
        ids=ascii,
    )
    def test_a_query_parameter_keeps_all_its_values_in_order(
        self, send: Send, words: tuple[str, ...]
    ) -> None:
        response = send(Request("GET", "/seen", query={"word": words, "number": ("7",)}))
        assert response.status == 200
        assert _object(response)["query"] == {"word": list(words), "number": ["7"]}

    def test_header_names_come_in_lower_case_and_values_as_they_were(self, send: Send) -> None:
        headers = {"X-Kit-One": ('A Value; with="marks", and commas',), "x-kit-two": ("2",)}
        seen = _object(send(Request("GET", "/seen/word", headers=headers)))["headers"]
        assert seen == {
            "x-kit-one": ['A Value; with="marks", and commas'],
            "x-kit-two": ["2"],
        }

    def test_a_header_given_twice_keeps_both_values_in_order(self, send: Send) -> None:
        headers = {"x-kit-many": ("first", "second")}
        seen = _object(send(Request("GET", "/seen/word", headers=headers)))["headers"]
        # HTTP lets a gateway join them with a comma, with or without a space (RFC 9110, 5.3).
        ways: list[Json] = [["first", "second"], ["first, second"], ["first,second"]]
        assert seen in [{"x-kit-many": way} for way in ways]

    def test_a_body_may_be_as_large_as_the_limit(self, send: Send) -> None:
        body = _json("x" * (MAX_BODY - len(_json(""))))
        assert len(body) == MAX_BODY
        response = send(_post(body))
        assert response.status == 200
        assert _object(response)["body"] == _digest(body)

    @pytest.mark.parametrize("more", [1, MAX_BODY])
    def test_a_body_beyond_the_limit_is_a_problem_413(self, send: Send, more: int) -> None:
        response = send(_post(_json("x" * (MAX_BODY - len(_json("")) + more))))
        assert _problem(response, 413) == "payload_too_large"
        assert send(Request("GET", "/seen/word")).status == 200

    @pytest.mark.parametrize(
        ("body", "status"), [(b"", 400), (b"{", 400), (b"\xff", 400), (b'{"text": 1}', 422)]
    )
    def test_a_body_that_cannot_be_read_is_a_problem(
        self, send: Send, body: bytes, status: int
    ) -> None:
        assert _problem(send(_post(body)), status)

    def test_head_answers_as_get_does_without_the_body(self, send: Send) -> None:
        got, head = send(Request("GET", "/answers/text")), send(Request("HEAD", "/answers/text"))
        assert (head.status, head.body) == (got.status, b"")
        for name in ("content-type", "x-kit-answer", "location"):
            assert head.header(name) == got.header(name) is not None
        assert head.header("content-length") == str(len(got.body))

    def test_an_answer_without_content_is_204_with_an_empty_body(self, send: Send) -> None:
        response = send(Request("DELETE", "/seen/word"))
        assert (response.status, response.body) == (204, b"")

    def test_status_headers_and_text_of_an_answer_come_back(self, send: Send) -> None:
        response = send(Request("GET", "/answers/text"))
        assert response.status == 203
        assert response.body.decode() == "ünï 😀"
        assert response.header("content-type") == "text/plain; charset=utf-8"
        assert response.header("x-kit-answer") == 'a b; c="d"'
        assert response.header("location") == "/seen/a%20b?x=1"

    def test_the_bytes_of_an_answer_come_back_as_they_were(self, send: Send) -> None:
        response = send(Request("GET", "/answers/binary"))
        assert (response.status, response.body) == (200, BINARY)
        assert response.header("content-type") == "application/octet-stream"
        assert send(Request("GET", "/answers/large")).body == b"x" * LARGE

    @pytest.mark.parametrize("path", ["/", "/nothing", "/seen/", "/seen/a/b", "/Seen/a", "/é"])
    def test_an_unknown_path_is_a_problem_404(self, send: Send, path: str) -> None:
        assert _problem(send(Request("GET", path)), 404) == "not_found"

    def test_a_method_that_the_path_does_not_take_is_a_problem_405(self, send: Send) -> None:
        response = send(Request("POST", "/seen"))
        assert _problem(response, 405) == "method_not_allowed"
        assert "GET" in str(response.header("allow"))

    def test_a_refusal_of_the_domain_is_a_problem_with_its_code(self, send: Send) -> None:
        response = send(Request("GET", "/answers/refused"))
        assert _problem(response, 409) == "out_of_words"
        problem = _object(response)
        assert (problem["status"], problem["left"]) == (409, 0)
        assert problem["detail"] == "there are no words left"

    def test_a_bug_in_a_handler_is_a_problem_500_that_tells_nothing(self, send: Send) -> None:
        response = send(Request("GET", "/answers/broken"))
        assert _problem(response, 500) == "internal"
        assert b"secret" not in response.body
        assert b"Traceback" not in response.body

    def test_a_request_id_is_echoed_and_made_when_there_is_none(self, send: Send) -> None:
        given = {"x-request-id": ("kit-request.1",)}
        assert (
            send(Request("GET", "/seen/word", headers=given)).header("x-request-id")
            == "kit-request.1"
        )
        made = {send(Request("GET", "/seen/word")).header("x-request-id") for _ in range(3)}
        assert len(made) == 3
        assert None not in made

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/health", "application/json"),
            ("/openapi.json", "application/json"),
            ("/docs", "text/html"),
        ],
    )
    def test_what_the_framework_answers_itself_is_there(
        self, send: Send, path: str, kind: str
    ) -> None:
        response = send(Request("GET", path))
        assert response.status == 200
        assert str(response.header("content-type")).startswith(kind)

    def test_requests_at_the_same_time_get_their_own_answers(self, send: Send) -> None:
        def ask(number: int) -> Literal[True]:
            body = _json(f"text {number}")
            response = send(_post(body, word=f"word{number}"))
            seen = _object(response)
            assert (seen["word"], seen["body"]) == (f"word{number}", _digest(body))
            return True

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(40))) == [True] * 40


def _post(body: bytes, method: str = "POST", word: str = "word") -> Request:
    headers = {"content-type": ("application/json",)}
    return Request(method, f"/seen/{word}", headers=headers, body=body)


def _json(text: str) -> bytes:
    return json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")).encode()


def _digest(body: bytes) -> Json:
    return {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def _object(response: Response) -> dict[str, Json]:
    value = response.json()
    assert isinstance(value, dict)
    return value


def _problem(response: Response, status: int) -> Json:
    """Demand a problem of a status and give its code."""
    assert response.status == status
    assert response.header("content-type") == PROBLEM
    problem = _object(response)
    assert problem["status"] == status
    assert problem["title"]
    return problem["code"]
