"""What AWS puts before a function passes the contract of HTTP, in each form of its events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from cartwheel import testing as kit
from cartwheel.app import App
from cartwheel.host import Host, HostOptions
from cartwheel.http import Request, Response
from cartwheel.log import discard
from cartwheel.ports import JsonObject
from cartwheel.testing import OpenHost, Send, Serve
from cartwheel_aws import HttpKind, answer_http, http_kind
from cartwheel_memory import MemoryHost
from tests.support import aws_http

ONE_VALUE = pytest.mark.xfail(
    reason="a load balancer without multi-value headers hands over the last value only", strict=True
)


@pytest.fixture
def open_host() -> OpenHost:
    def open_(app: App) -> Host:
        return MemoryHost(app, HostOptions(log=discard))

    return open_


class _Edge(kit.HttpGatewayContract):
    virtual_time = True
    kind: ClassVar[HttpKind]

    @pytest.fixture
    def serve(self) -> Serve:
        @contextmanager
        def before(host: Host) -> Iterator[Send]:
            def function(event: JsonObject) -> JsonObject:
                found = http_kind(event)
                assert found is self.kind
                return answer_http(host.dispatcher, event, found)

            def send(request: Request) -> Response:
                return aws_http.send(self.kind, request, function)

            yield send

        return before


class TestHttpApi(_Edge):
    kind = HttpKind.HTTP_API


class TestHttpApiV1(_Edge):
    kind = HttpKind.HTTP_API_V1


class TestFunctionUrl(_Edge):
    kind = HttpKind.FUNCTION_URL


class TestRestApi(_Edge):
    kind = HttpKind.REST_API


class TestLoadBalancer(_Edge):
    kind = HttpKind.ALB_MULTI


class TestLoadBalancerWithSingleValues(_Edge):
    kind = HttpKind.ALB

    @pytest.mark.parametrize(
        "words",
        [("one",), ("",), ("a b+c%2Bd&e=f ünï?#/",), pytest.param(("one", "two"), marks=ONE_VALUE)],
    )
    def test_a_query_parameter_keeps_all_its_values_in_order(
        self, send: Send, words: tuple[str, ...]
    ) -> None:
        super().test_a_query_parameter_keeps_all_its_values_in_order(send, words)

    @ONE_VALUE
    def test_a_header_given_twice_keeps_both_values_in_order(self, send: Send) -> None:
        super().test_a_header_given_twice_keeps_both_values_in_order(send)
