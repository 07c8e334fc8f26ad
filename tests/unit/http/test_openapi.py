"""What the API says of itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import cast

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from cartwheel.app import App, Service
from cartwheel.context import Context
from cartwheel.http import ANYONE, Query, openapi
from cartwheel.ports import Json, JsonObject
from tests.unit.http.world import World, body_of


class Page(Query):
    limit: int = 1


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def document(world: World) -> JsonObject:
    return openapi(world.app)


def _at(document: JsonObject, *path: str) -> Json:
    value: Json = document
    for name in path:
        assert isinstance(value, dict), path
        value = value[name]
    return value


def _operation(document: JsonObject, method: str, path: str) -> JsonObject:
    return cast("JsonObject", _at(document, "paths", path, method))


def test_the_document_is_valid_openapi_3_1(document: JsonObject) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


def test_a_document_of_an_empty_application_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi(App("empty", services=()))).validate()


def test_equal_applications_give_equal_documents(document: JsonObject) -> None:
    assert json.dumps(openapi(World().app)) == json.dumps(document)


def test_the_gateway_serves_the_document(world: World, document: JsonObject) -> None:
    assert body_of(world.send("GET", "/openapi.json")) == document


def test_every_route_is_an_operation_and_nothing_else(world: World, document: JsonObject) -> None:
    paths = cast("dict[str, JsonObject]", document["paths"])
    listed = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert listed == {(route.method, route.path) for route in world.app.routes}


def test_every_reference_leads_somewhere_and_every_schema_is_used(document: JsonObject) -> None:
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert used == set(cast("JsonObject", _at(document, "components", "schemas")))
    assert "Filter" not in used


def test_an_operation_says_who_may_call_it(document: JsonObject) -> None:
    hire, who, me = (
        _operation(document, method, path)
        for method, path in (("post", "/staff"), ("get", "/who"), ("get", "/me"))
    )
    assert (hire["x-permission"], hire["security"]) == ("staff or admin", [{"bearer": []}])
    assert (me["x-permission"], me["security"]) == ("authenticated", [{"bearer": []}])
    assert (who["x-permission"], who["security"]) == ("anyone", [{}, {"bearer": []}])
    assert _at(document, "components", "securitySchemes", "bearer", "scheme") == "bearer"


def test_an_operation_is_told_by_the_docstring(document: JsonObject) -> None:
    listing = _operation(document, "get", "/orders")
    assert (listing["summary"], listing["description"]) == (
        "List orders.",
        "The newest come first.",
    )
    assert (listing["operationId"], listing["tags"]) == ("orders.search", ["orders"])


def test_query_parameters_have_their_own_schemas(document: JsonObject) -> None:
    parameters = cast("list[JsonObject]", _operation(document, "get", "/orders")["parameters"])
    by_name = {cast("str", parameter["name"]): parameter for parameter in parameters}
    assert list(by_name) == [
        *("limit", "min_price", "tag", "number", "colour", "available", "from", "q")
    ]
    limit = by_name["limit"]
    assert (limit["in"], limit["required"], limit["description"]) == (
        "query",
        False,
        "At most so many",
    )
    schema = cast("JsonObject", limit["schema"])
    assert {name: schema[name] for name in ("type", "minimum", "maximum", "default")} == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 20,
    }
    optional = cast("JsonObject", by_name["min_price"]["schema"])
    assert (optional["type"], "default" in optional) == ("integer", False)


def test_a_route_with_a_key_documents_header_replay_and_refusals(document: JsonObject) -> None:
    pay = _operation(document, "post", "/payments")
    (key,) = cast("list[JsonObject]", pay["parameters"])
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert "Idempotency-Replayed" in cast("JsonObject", _at(pay, "responses", "202", "headers"))
    assert _codes(pay, "400") >= {"idempotency_key_missing", "idempotency_key_malformed"}
    assert _codes(pay, "409") == {"request_in_progress"}
    assert _codes(pay, "422") == {"idempotency_key_reused", "invalid_request"}


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("post", "/orders", "201 400 401 409 413 415 422 503 default"),
        ("get", "/orders/{order_id}", "200 400 401 404 422 503 default"),
        ("delete", "/orders/{order_id}", "204 400 401 404 422 503 default"),
        ("patch", "/orders/{order_id}", "200 400 401 404 412 422 503 default"),
        ("post", "/staff", "201 400 401 403 413 415 422 503 default"),
        ("post", "/login", "200 400 401 413 415 422 429 503 default"),
    ],
)
def test_an_operation_lists_every_answer(
    document: JsonObject, method: str, path: str, statuses: str
) -> None:
    responses = cast("JsonObject", _operation(document, method, path)["responses"])
    assert list(responses) == statuses.split()


def test_a_declared_error_is_documented_with_code_and_title(document: JsonObject) -> None:
    create = _operation(document, "post", "/orders")
    assert _codes(create, "409") == {"out_of_stock"}
    assert _at(create, "responses", "409", "description") == (
        "`out_of_stock`: There is not enough stock"
    )


def test_a_reply_is_documented_as_its_model_by_alias(document: JsonObject) -> None:
    create = _operation(document, "post", "/orders")
    assert _at(create, "responses", "201", "content", "application/json", "schema") == {
        "$ref": "#/components/schemas/OrderView"
    }
    properties = _at(document, "components", "schemas", "OrderView", "properties")
    assert set(cast("JsonObject", properties)) == {"order_id", "class"}


def test_a_body_schema_refuses_unknown_fields(document: JsonObject) -> None:
    assert _at(document, "components", "schemas", "NewOrder", "additionalProperties") is False
    assert _at(document, "components", "schemas", "Line", "additionalProperties") is False


def test_an_application_without_authentication_asks_for_none() -> None:
    service = Service("open")

    @service.route("GET", "/open", permission=ANYONE)
    def listed(ctx: Context, query: Page) -> None:
        """List."""

    document = openapi(App("open", services=(service,)))
    OpenAPIV31SpecValidator(document).validate()
    operation = _operation(document, "get", "/open")
    assert "security" not in operation
    assert "401" not in cast("JsonObject", operation["responses"])


def test_the_page_needs_no_other_host_and_allows_its_own_script_alone(world: World) -> None:
    answer = world.send("GET", "/docs")
    page = answer.body.decode()
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert not re.findall(r"(?:https?:)?//[a-z]", page)
    assert not re.findall(r"\b(?:src|href|style|on[a-z]+)=", page)
    assert "innerHTML" not in page
    policy = answer.header("Content-Security-Policy")
    assert policy is not None
    assert "unsafe" not in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[f"{tag}-src"] == f"'sha256-{digest}'"


def _codes(operation: JsonObject, status: str) -> set[str]:
    schema = _at(operation, "responses", status, "content", "application/problem+json", "schema")
    assert isinstance(schema, dict)
    parts = cast("list[JsonObject]", schema["allOf"])
    return set(cast("list[str]", _at(parts[1], "properties", "code", "enum")))
