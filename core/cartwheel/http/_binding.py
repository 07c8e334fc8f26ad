"""Turns query strings into the models that handlers take, strictly, and says what is invalid."""

from __future__ import annotations

import enum
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cartwheel.http._problems import InvalidRequest
from cartwheel.ports import ConfigurationError, Json

MAX_ERRORS = 20
"""Invalid fields that one answer lists."""

_INTEGER = re.compile(r"-?[0-9]{1,16}")
_BOOLEANS = {"true": True, "false": False}
_LISTS = (list, tuple, set, frozenset)
_LONGEST_TEXT = 200
_VALUE_ERROR = "Value error, "


def check_strict(where: str, model: type[BaseModel]) -> None:
    """Refuse a model of which a part would let unknown fields pass."""
    for part in _models_in(model, set()):
        if part.model_config.get("extra") != "forbid":
            raise ConfigurationError(
                f"{where}: {part.__module__}.{part.__qualname__} lets unknown fields pass; derive "
                "it from cartwheel.http.Body (or Query), or set extra='forbid'"
            )
    # Now rather than in the first request, where threads would do it at once.
    model.model_rebuild()


@dataclass(frozen=True, slots=True)
class _Parameter:
    kind: type
    many: bool


class QueryReader:
    """Reads query strings into one model; its fields are checked when it is made."""

    __slots__ = ("_model", "_parameters")

    def __init__(self, where: str, model: type[BaseModel]) -> None:
        check_strict(where, model)
        self._model = model
        self._parameters = {
            field.alias or name: _parameter(f"{where}: query field '{name}'", field.annotation)
            for name, field in model.model_fields.items()
        }

    def read(self, query: Mapping[str, tuple[str, ...]]) -> BaseModel:
        """Make the model of a query string; raises InvalidRequest."""
        values: dict[str, Json] = {}
        repeated: list[Json] = []
        for name, texts in query.items():
            parameter = self._parameters.get(name)
            if parameter is None:
                values[name] = texts[-1]
            elif parameter.many:
                values[name] = [_convert(parameter.kind, text) for text in texts]
            else:
                if len(texts) > 1:
                    repeated.append(_fault("parameter", name, "repeated", "Give it once"))
                values[name] = _convert(parameter.kind, texts[-1])
        if repeated:
            raise InvalidRequest("a query parameter is given twice", errors=repeated[:MAX_ERRORS])
        try:
            return self._model.model_validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            raise invalid(error, "query") from error


def refuse_query(query: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse every parameter on a route that takes none."""
    if query:
        errors: list[Json] = [
            _fault("parameter", name, "extra_forbidden", "Extra inputs are not permitted")
            for name in list(query)[:MAX_ERRORS]
        ]
        raise InvalidRequest("this route takes no query parameters", errors=errors)


def pointer(location: tuple[int | str, ...]) -> str:
    """Write a place in a body as a JSON pointer in a URI fragment (RFC 6901)."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "#" + "".join(f"/{quote(part, safe='~', errors='replace')}" for part in parts)


def invalid(error: ValidationError, what: str) -> InvalidRequest:
    """Say what is invalid in a body or a query."""
    # Neither input nor context goes out: they may hold a password.
    found = error.errors(include_url=False, include_context=False, include_input=False)
    errors: list[Json] = [_described(detail, what) for detail in found[:MAX_ERRORS]]
    fields = "field" if len(found) == 1 else "fields"
    message = f"{len(found)} invalid {fields} in the {what}"
    if len(found) > MAX_ERRORS:
        message += f", the first {MAX_ERRORS} of which are listed"
    return InvalidRequest(message, errors=errors)


def _described(detail: ErrorDetails, what: str) -> Json:
    message = detail["msg"].removeprefix(_VALUE_ERROR)
    if what == "body":
        return _fault("pointer", pointer(detail["loc"]), detail["type"], message)
    name = str(detail["loc"][0]) if detail["loc"] else ""
    return _fault("parameter", name, detail["type"], message)


def _fault(key: str, place: str, code: str, message: str) -> Json:
    return {key: place[:_LONGEST_TEXT], "message": message[:_LONGEST_TEXT], "code": code}


def _convert(kind: type, text: str) -> Json:
    """Turn a text into JSON where it has exactly the form; otherwise the model refuses it."""
    if kind is int and _INTEGER.fullmatch(text):
        return int(text)
    if kind is bool:
        return _BOOLEANS.get(text, text)
    return text


def _parameter(where: str, annotation: object) -> _Parameter:
    members = [part for part in _members(annotation) if part is not type(None)]
    if len(members) == 1 and typing.get_origin(members[0]) in _LISTS:
        inner = [part for part in typing.get_args(members[0]) if part is not ...]
        kinds = {_kind(where, part) for item in inner for part in _members(item)}
        many = True
    else:
        kinds = {_kind(where, part) for part in members}
        many = False
    if len(kinds) != 1:
        raise ConfigurationError(f"{where}: a text cannot tell its types apart; give it one")
    return _Parameter(kinds.pop(), many)


def _members(annotation: object) -> Iterator[object]:
    """Give the alternatives of an annotation, a literal's values as their types."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _members(part)
    elif origin is typing.Literal:
        yield from {type(value) for value in typing.get_args(annotation)}
    else:
        yield annotation


def _kind(where: str, annotation: object) -> type:
    if not isinstance(annotation, type) or issubclass(
        annotation, (float, BaseModel, Mapping, *_LISTS)
    ):
        raise ConfigurationError(
            f"{where}: a query parameter is an int, a bool, something written as text, or a list "
            f"of these, not {annotation!r}"
        )
    if issubclass(annotation, enum.Enum):
        kinds = {type(member.value) for member in annotation}
        return kinds.pop() if len(kinds) == 1 else str
    if annotation is bool:
        return bool
    return int if issubclass(annotation, int) else str


def _models_in(annotation: object, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models_in(field.annotation, seen)
        return
    for part in typing.get_args(annotation):
        yield from _models_in(part, seen)
