"""Describes an application's routes as OpenAPI 3.1; equal applications give equal documents."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cartwheel.http._problems import (
    PROBLEM_TYPE,
    BadRequest,
    Forbidden,
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    InvalidJson,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    RequestInProgress,
    Unauthenticated,
    UnsupportedMediaType,
)
from cartwheel.http._router import MAX_SEGMENT
from cartwheel.ports import DomainError, Json, JsonObject, snake_case

if TYPE_CHECKING:
    from cartwheel.app import App
    from cartwheel.declared import Route

_Key: TypeAlias = 'tuple[type[BaseModel], Literal["validation", "serialization"]]'

_STATUS_TITLES = {
    200: "Done",
    201: "Created",
    202: "Accepted; the work goes on",
    204: "Done; there is nothing to say",
}
_RETRY_AFTER: JsonObject = {
    "description": "Seconds to wait before asking again",
    "schema": {"type": "integer", "minimum": 0},
}
_PROBLEM_NAME = "cartwheel.Problem"
"""With a dot, which no model's name has."""
_PROBLEM: JsonObject = {
    "type": "object",
    "description": "A problem (RFC 9457); the reason's own members follow the standard ones.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "description": "urn:cartwheel:problem: and the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; decide by it"},
        "detail": {"type": "string", "description": "For people; may change"},
        "instance": {"type": "string", "description": "The request's id"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where in the body"},
                    "parameter": {"type": "string", "description": "Which query parameter"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}


def openapi(app: App) -> JsonObject:
    """Describe an application in OpenAPI 3.1, with the gateway's own routes left out."""
    schemas, definitions = _schemas(app.routes)
    paths: dict[str, Json] = {}
    for route in sorted(app.routes, key=lambda route: (route.path, route.method)):
        item = cast("JsonObject", paths.setdefault(route.path, {}))
        item[route.method.lower()] = _operation(app, route, schemas, definitions)
    queries = {schemas[route.query, "validation"] for route in app.routes if route.query}
    components: dict[str, Json] = {
        name: schema for name, schema in definitions.items() if _ref(name) not in queries
    }
    components[_PROBLEM_NAME] = _PROBLEM
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": app.title,
            "version": app.version,
            "description": "Bodies are strict JSON: unknown fields, floats and duplicate names are "
            "refused. Every answer carries X-Request-Id.",
        },
        "tags": [{"name": service.name} for service in app.services if service.routes],
        "paths": dict(paths),
        "components": {"schemas": dict(sorted(components.items()))},
    }
    if app.authenticate is not None:
        cast("JsonObject", document["components"])["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"}
        }
    return document


def _schemas(routes: Iterable[Route]) -> tuple[dict[_Key, str], dict[str, JsonObject]]:
    """Give every model's reference, and the schemas by name."""
    models: dict[_Key, None] = {}
    for route in routes:
        for model in (route.body, route.query):
            if model is not None:
                models[model, "validation"] = None
        if route.output is not None:
            models[route.output, "serialization"] = None
    references, document = models_json_schema(
        sorted(models, key=lambda key: (key[0].__module__, key[0].__qualname__, key[1])),
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    return (
        {key: references[key]["$ref"] for key in models},
        document.get("$defs", {}),
    )


def _operation(
    app: App, route: Route, schemas: dict[_Key, str], definitions: dict[str, JsonObject]
) -> JsonObject:
    operation: JsonObject = {
        "operationId": route.name,
        "tags": [route.service],
        "summary": route.summary,
        "x-permission": route.permission.name,
    }
    more = inspect.getdoc(route.handler) or ""
    description = more.partition("\n")[2].strip()
    if description:
        operation["description"] = description
    if app.authenticate is not None:
        bearer: Json = {"bearer": []}
        operation["security"] = [bearer] if route.permission.authenticated else [{}, bearer]
    parameters = _parameters(route, schemas, definitions)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {
                "application/json": {"schema": {"$ref": schemas[route.body, "validation"]}}
            },
        }
    operation["responses"] = _responses(app, route, schemas)
    return operation


def _parameters(
    route: Route, schemas: dict[_Key, str], definitions: dict[str, JsonObject]
) -> list[Json]:
    parameters: list[Json] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_SEGMENT,
                "pattern": "^[^\\x00-\\x1f\\x7f]+$",
            },
        }
        for name in route.path_params
    ]
    if route.query is not None:
        definition = definitions[schemas[route.query, "validation"].rpartition("/")[2]]
        required = cast("list[str]", definition.get("required", []))
        properties = cast("JsonObject", definition.get("properties", {}))
        for name, schema in properties.items():
            stated = cast("JsonObject", schema)
            parameter: JsonObject = {"name": name, "in": "query", "required": name in required}
            if "description" in stated:
                parameter["description"] = stated["description"]
            parameter["schema"] = _given(stated)
            parameters.append(parameter)
    if route.idempotent:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "The same value for the same request, however often it is sent",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        )
    if PreconditionFailed in route.errors:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": PreconditionRequired in route.errors,
                "description": "The ETag of the version that the edit was made from",
                "schema": {"type": "string"},
            }
        )
    return parameters


def _given(schema: JsonObject) -> JsonObject:
    """Leave null out of a query parameter's schema: a parameter is there or it is not."""
    stated = {name: value for name, value in schema.items() if name != "description"}
    choices = stated.get("anyOf")
    if isinstance(choices, list):
        rest = [choice for choice in choices if choice != {"type": "null"}]
        if len(rest) < len(choices):
            del stated["anyOf"]
            if stated.get("default", 0) is None:
                del stated["default"]
            if len(rest) == 1:
                return {**cast("JsonObject", rest[0]), **stated}
            stated["anyOf"] = rest
    return stated


def _responses(app: App, route: Route, schemas: dict[_Key, str]) -> JsonObject:
    status = route.status
    content: JsonObject = {}
    if route.output is not None:
        reference: Json = {"$ref": schemas[route.output, "serialization"]}
        content = {"content": {"application/json": {"schema": reference}}}
    elif _answers_nothing(route):
        status = 204
    success: JsonObject = {"description": _STATUS_TITLES.get(status, "Done"), **content}
    headers: JsonObject = {}
    if status in {201, 202}:
        headers["Location"] = {"schema": {"type": "string"}}
    if route.idempotent:
        headers["Idempotency-Replayed"] = {
            "description": "Present when this is the answer of an earlier request",
            "schema": {"type": "string", "const": "true"},
        }
    if headers:
        success["headers"] = headers
    responses: JsonObject = {str(status): success}
    refusals: dict[int, set[type[DomainError]]] = {}
    for error in _errors(app, route):
        refusals.setdefault(error.status, set()).add(error)
    for refused in sorted(refusals):
        responses[str(refused)] = _refused(refusals[refused])
    responses["503"] = {
        **_described("A part of the service did not answer", ["unavailable"]),
        "headers": {"Retry-After": _RETRY_AFTER},
    }
    responses["default"] = _described("Any other refusal", [])
    return responses


def _answers_nothing(route: Route) -> bool:
    return inspect.signature(route.handler).return_annotation in (None, "None")


def _errors(app: App, route: Route) -> Iterable[type[DomainError]]:
    """Give every refusal that a route can answer."""
    yield BadRequest
    yield InvalidRequest
    yield from route.errors
    if app.authenticate is not None:
        yield Unauthenticated
        if route.permission.roles is not None:
            yield Forbidden
    if route.path_params:
        yield NotFound
    if route.body is not None:
        yield InvalidJson
        yield PayloadTooLarge
        yield UnsupportedMediaType
    if route.idempotent:
        yield IdempotencyKeyMissing
        yield IdempotencyKeyMalformed
        yield IdempotencyKeyReused
        yield RequestInProgress


def _refused(errors: set[type[DomainError]]) -> JsonObject:
    ordered = sorted(errors, key=lambda error: error.code)
    lines = [f"`{snake_case(error.code)}`: {error.title}" for error in ordered]
    described = _described("\n\n".join(lines), [snake_case(error.code) for error in ordered])
    if any(error.status == 429 or error is RequestInProgress for error in ordered):
        described["headers"] = {"Retry-After": _RETRY_AFTER}
    return described


def _described(description: str, codes: list[str]) -> JsonObject:
    schema: JsonObject = {"$ref": _ref(_PROBLEM_NAME)}
    if codes:
        listed: Json = {"properties": {"code": {"enum": [*codes]}}}
        schema = {"allOf": [schema, listed]}
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": schema}}}


def _ref(name: str) -> str:
    return f"#/components/schemas/{name}"
