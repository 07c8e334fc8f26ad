"""A small application behind the events of the tests."""

from __future__ import annotations

from functools import cache

from pydantic import Field

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, Body, Query, Response, View


class Words(Query):
    word: list[str] = Field(default_factory=list)
    number: int | None = None


class Text(Body):
    text: str


class Seen(View):
    word: str


@cache
def app() -> App:
    """Make the application."""
    service = Service("kit")

    @service.route("GET", "/seen", permission=ANYONE)
    def seen(ctx: Context, query: Words) -> Seen:
        """Say what was asked."""
        return Seen(word=",".join(query.word))

    @service.route("GET", "/seen/{word}", permission=ANYONE)
    def seen_word(ctx: Context, word: str, query: Words) -> Seen:
        """Say which word was asked for."""
        return Seen(word=word)

    @service.route("POST", "/seen/{word}", permission=ANYONE)
    def took(ctx: Context, word: str, body: Text, query: Words) -> Seen:
        """Take a text."""
        return Seen(word=word)

    @service.route("GET", "/much", permission=ANYONE)
    def much(ctx: Context) -> Response:
        """Answer more than can be sent."""
        return Response(200, body=b"x" * 7_000_000)

    return App("kit_aws", services=[service])
