"""Turns a body into the model that a handler takes, reading it once where that settles everything.

A body must be strict JSON (see `_strict_json`) and fit its model. Read with `strict=True`, which
goes before what the model itself asks for, a model of texts, integers and truth values, of lists
and of other such models takes nothing else, but for two things: integers beyond 2^53, and names
that occur twice. For these a search in the bytes and a count of the names that the model took are
enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from cartwheel.http._binding import check_strict, invalid
from cartwheel.http._strict_json import MAX_DEPTH, MAX_INT, read_json
from cartwheel.ports import Json

_Schema: TypeAlias = Mapping[str, Any]
_Names: TypeAlias = int | Callable[[Any], int]
"""How many names the JSON has that a value was made from: always so many, or counted."""

_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 16
"""As many digits as make an integer that may be too large."""


class BodyReader:
    """Reads the bodies of a route; raises ConfigurationError for a model that is not strict."""

    __slots__ = ("_bounded", "_names", "_validate")

    def __init__(self, where: str, model: type[BaseModel]) -> None:
        check_strict(where, model)
        # What `model_validate_json` comes to.
        self._validate: Callable[..., BaseModel] = model.__pydantic_validator__.validate_json
        plain = _Plain()
        try:
            self._names: _Names | None = plain.names(model.__pydantic_core_schema__, MAX_DEPTH)
        except _Unsure:
            self._names = None
        self._bounded = plain.bounded

    def read(self, body: bytes) -> BaseModel:
        """Make the model of a body; raises InvalidJson and InvalidRequest."""
        names = self._names
        if names is not None and (self._bounded or _LONG not in body.translate(_DIGITS)):
            try:
                made = self._validate(body, strict=True)
            except ValidationError:
                pass  # Whether it is JSON at all comes first, below.
            else:
                # A name that came twice is there once, and its colon is left over.
                if (names if isinstance(names, int) else names(made)) == body.count(b":"):
                    return made
        return self.read_both(body)[1]

    def read_both(self, body: bytes) -> tuple[Json, BaseModel]:
        """Give a body as JSON and its model; raises InvalidJson and InvalidRequest."""
        value = read_json(body)
        try:
            return value, self._validate(body, strict=True)
        except ValidationError as error:
            raise invalid(error, "body") from error


class _Unsure(Exception):  # no error: the model takes the longer way
    """Says that a model may take what is no strict JSON, or that its names can't be counted."""


class _Plain:
    """Reads pydantic's schema of a model; every method raises _Unsure for one that is not plain."""

    def __init__(self) -> None:
        self._defined: dict[str, _Schema] = {}
        self.bounded = True
        """Whether each integer has bounds that every JSON reader keeps exactly."""

    def names(self, schema: _Schema, room: int) -> _Names:
        """Tell how many names a value has, or make what counts them."""
        if room < 0:
            raise _Unsure
        match schema["type"]:
            case "int":
                least = schema.get("ge", schema.get("gt", -MAX_INT - 1))
                most = schema.get("le", schema.get("lt", MAX_INT + 1))
                self.bounded &= least >= -MAX_INT and most <= MAX_INT
                return 0
            case "str" | "bool":
                return 0
            case "literal" if all(isinstance(value, str) for value in schema["expected"]):
                return 0
            case "nullable":
                return _unless_none(self.names(schema["schema"], room))
            case "default":
                names = self.names(schema["schema"], room)
                # Of a default's names none is in the JSON.
                empty = schema.get("default", _Unsure) is None
                if names != 0 and not empty and schema.get("default_factory") is not list:
                    raise _Unsure
                return _unless_none(names)
            case "list":
                each = self.names(schema["items_schema"], room - 1)
                if isinstance(each, int):
                    return 0 if each == 0 else lambda values: each * len(values)
                return lambda values: sum(map(each, values))
            case "model":
                return self._names_of_model(schema, room - 1)
            case "definitions":
                self._defined = {each["ref"]: each for each in schema["definitions"]}
                return self.names(schema["schema"], room)
            case "definition-ref":
                # One that is met within itself has no room in the end.
                return self.names(self._defined[schema["schema_ref"]], room)
        raise _Unsure

    def _names_of_model(self, schema: _Schema, room: int) -> _Names:
        inside = schema["schema"]
        touched = schema.get("custom_init") or schema.get("root_model") or schema.get("post_init")
        if touched or inside["type"] != "model-fields":
            raise _Unsure
        fields = {name: each["schema"] for name, each in inside["fields"].items()}
        found = {name: self.names(each, room) for name, each in fields.items()}
        parts = [(name, names) for name, names in found.items() if not isinstance(names, int)]
        within = sum(names for names in found.values() if isinstance(names, int))
        # What has no default is there, always.
        always = all(each["type"] != "default" for each in fields.values())
        if always and not parts:
            return within + len(fields)

        def count(model: BaseModel) -> int:
            total = within + (len(fields) if always else len(model.__pydantic_fields_set__))
            for name, names in parts:
                total += names(getattr(model, name))
            return total

        return count


def _unless_none(names: _Names) -> _Names:
    if isinstance(names, int):
        return 0 if names == 0 else lambda value: 0 if value is None else names
    return lambda value: 0 if value is None else names(value)
