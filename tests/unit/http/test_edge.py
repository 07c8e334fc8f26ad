"""What browsers are told: nothing about other origins unless the application says so."""

from __future__ import annotations

import pytest

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.http import ANYONE, Cors, Request, Response, SecurityHeaders
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError
from cartwheel_memory import MemoryHost

SHOP = "https://shop.example.org"
things = Service("things")


@things.route("GET", "/things", permission=ANYONE)
def look(ctx: Context) -> Response:
    """Look."""
    return Response(200, {"Vary": "Accept"}, b"{}")


@things.route("POST", "/things", permission=ANYONE)
def make(ctx: Context) -> None:
    """Make."""


def send(
    method: str = "POST",
    *,
    cors: Cors | None = None,
    security: SecurityHeaders | None = None,
    path: str = "/things",
    **headers: str | tuple[str, ...],
) -> Response:
    app = App("edge", services=[things], cors=cors, security_headers=security)
    sent = {
        name.replace("_", "-"): (value,) if isinstance(value, str) else value
        for name, value in headers.items()
    }
    with MemoryHost(app, HostOptions(log=discard)) as host:
        return host.dispatcher.http(Request(method, path, headers=sent))


def preflight(cors: Cors | None, origin: str = SHOP, path: str = "/things") -> Response:
    return send(
        "OPTIONS", cors=cors, path=path, origin=origin, access_control_request_method="POST"
    )


def about_origins(response: Response) -> set[str]:
    return {name for name in response.headers if name.startswith("Access-Control")}


def test_other_origins_are_told_nothing_unless_the_application_says_so() -> None:
    for response in (send(origin=SHOP), preflight(None)):
        assert about_origins(response) == set()
        assert response.header("vary") is None


def test_a_named_origin_may_call_and_read_what_is_exposed() -> None:
    response = send(cors=Cors([SHOP]), origin=SHOP)
    assert response.status == 204
    assert response.header("access-control-allow-origin") == SHOP
    assert response.header("vary") == "Origin"
    assert "X-Request-Id" in str(response.header("access-control-expose-headers"))
    assert response.header("access-control-allow-credentials") is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "http://shop.example.org",
        "https://shop.example.org:444",
        "https://shop.example.org.evil.example",
        "https://SHOP.example.org",
        "null",
        "",
        "*",
    ],
)
def test_an_origin_that_is_not_named_is_told_nothing(origin: str) -> None:
    for response in (send(cors=Cors([SHOP]), origin=origin), preflight(Cors([SHOP]), origin)):
        assert about_origins(response) == set()
        assert response.header("vary") == "Origin"


def test_two_origins_in_one_request_are_told_nothing() -> None:
    assert about_origins(send(cors=Cors([SHOP]), origin=(SHOP, SHOP))) == set()


def test_a_preflight_is_answered_with_what_the_path_takes() -> None:
    response = preflight(Cors([SHOP], headers=["Authorization", "X-Cart-Token"], max_age=60))
    assert response.status == 204
    methods = str(response.header("access-control-allow-methods")).split(", ")
    assert {"GET", "POST"} <= set(methods)
    assert response.header("access-control-allow-headers") == "Authorization, X-Cart-Token"
    assert response.header("access-control-max-age") == "60"
    assert response.header("access-control-expose-headers") is None


def test_an_error_can_be_read_by_the_page_that_caused_it() -> None:
    response = send("DELETE", cors=Cors([SHOP]), origin=SHOP)
    assert response.status == 405
    assert response.header("access-control-allow-origin") == SHOP


def test_everybody_may_call_without_credentials() -> None:
    response = send(cors=Cors(["*"]), origin="https://anybody.example")
    assert response.header("access-control-allow-origin") == "*"
    assert response.header("vary") is None


def test_credentials_are_for_named_origins() -> None:
    response = send(cors=Cors([SHOP], credentials=True), origin=SHOP)
    assert response.header("access-control-allow-credentials") == "true"
    with pytest.raises(ConfigurationError, match="by name"):
        Cors(["*"], credentials=True)


def test_what_a_handler_says_of_caches_is_kept() -> None:
    assert send("GET", cors=Cors([SHOP]), origin=SHOP).header("vary") == "Accept, Origin"


@pytest.mark.parametrize(
    "origin",
    ["shop.example.org", "https://shop.example.org/", "https://Shop.example.org", "https://*.org"],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="is no origin"):
        Cors([origin])


def test_a_headers_name_adds_no_header() -> None:
    with pytest.raises(ConfigurationError, match="is no header's name"):
        Cors([SHOP], exposed=["X\r\nSet-Cookie: a=b"])
    with pytest.raises(ConfigurationError, match="can't stand in a header"):
        SecurityHeaders(permissions_policy="camera=()\r\nX: y")


def test_the_usual_headers_are_there_and_the_rest_is_added_when_configured() -> None:
    usual = send()
    assert usual.header("x-content-type-options") == "nosniff"
    assert usual.header("strict-transport-security") is None
    more = send(
        security=SecurityHeaders(
            hsts_seconds=31536000,
            hsts_subdomains=True,
            permissions_policy="camera=()",
            cross_origin_resource_policy="same-site",
            cross_origin_opener_policy="same-origin",
            x_frame_options="DENY",
        )
    )
    assert more.header("x-content-type-options") == "nosniff"
    assert more.header("strict-transport-security") == "max-age=31536000; includeSubDomains"
    assert more.header("permissions-policy") == "camera=()"
    assert more.header("cross-origin-resource-policy") == "same-site"
    assert more.header("cross-origin-opener-policy") == "same-origin"
    assert more.header("x-frame-options") == "DENY"
