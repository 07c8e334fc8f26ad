"""Derives workflow types from Python annotations and pydantic models."""

from __future__ import annotations

import enum
import types
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, JsonValue, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation

from cartwheel.workflow._types import (
    BOOL,
    INT,
    JSON,
    NULL,
    STRING,
    ListType,
    ObjectType,
    StringType,
    Type,
    describe,
    join,
    optional,
)

_PLAIN: dict[object, Type] = {
    None: NULL,
    type(None): NULL,
    bool: BOOL,
    int: INT,
    str: STRING,
    datetime: STRING,
    date: STRING,
    Any: JSON,
    object: JSON,
    JsonValue: JSON,
}
_SCHEMA_TYPES: dict[object, Type] = {"string": STRING, "integer": INT, "boolean": BOOL}
_models: dict[type[BaseModel], ObjectType] = {}


class UnsupportedType(TypeError):
    """A Python type has no place in the workflow language; says which, where, and what to use."""


def type_from(annotation: object, where: str = "this value") -> Type:
    """Return the workflow type of a Python annotation.

    Raises UnsupportedType, with `where` in its message.
    """
    return _derive(annotation, where, ())


def object_type(model: type[BaseModel]) -> ObjectType:
    """Return the workflow type of a pydantic model; raises UnsupportedType."""
    return _model(model, ())


def _derive(annotation: object, where: str, around: tuple[type[BaseModel], ...]) -> Type:
    try:
        plain = _PLAIN.get(annotation)
    except TypeError:
        plain = None
    if plain is not None:
        return plain
    if type(annotation).__name__ == "TypeAliasType":
        return _derive(getattr(annotation, "__value__", None), where, around)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _derive(args[0], where, around)
    if origin is Literal:
        return _literal(args, where)
    if origin is Union or origin is types.UnionType:
        return _union(args, where, around)
    if origin in (list, Sequence) or (origin is tuple and len(args) == 2 and args[1] is ...):
        return ListType(item=_derive(args[0], f"an item of {where}", around))
    if isinstance(annotation, NewType):
        return _derive(annotation.__supertype__, where, around)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation, around)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _literal(tuple(member.value for member in annotation), where)
    return _by_schema(annotation, where)


def _literal(values: tuple[object, ...], where: str) -> Type:
    values = tuple(value.value if isinstance(value, enum.Enum) else value for value in values)
    if all(isinstance(value, str) for value in values):
        return StringType(enum=tuple(str(value) for value in values))
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return INT
    if kinds == {bool}:
        return BOOL
    if type(None) in kinds and len(kinds) > 1:
        return optional(_literal(tuple(v for v in values if v is not None), where))
    raise UnsupportedType(f"{where} lists values of several kinds: {values!r}; use one kind")


def _union(args: tuple[object, ...], where: str, around: tuple[type[BaseModel], ...]) -> Type:
    of: Type | None = None
    for arg in args:
        derived = _derive(arg, where, around)
        joined = derived if of is None else join(of, derived)
        if joined is None:
            shown = f"{describe(of) if of else ''} | {describe(derived)}"
            raise UnsupportedType(
                f"{where} is {shown}; a value has one type, or that type and None"
            )
        of = joined
    return NULL if of is None else of


def _model(model: type[BaseModel], around: tuple[type[BaseModel], ...]) -> ObjectType:
    known = _models.get(model)
    if known is not None:
        return known
    name = model.__name__
    if model in around:
        raise UnsupportedType(f"{name} contains itself; a workflow's objects have a fixed depth")
    try:
        model.model_rebuild()
    except PydanticUndefinedAnnotation as error:
        raise UnsupportedType(f"{name} names a type that is not defined: {error.name}") from error
    if model.model_config.get("extra") == "allow":
        raise UnsupportedType(f"{name} allows extra fields; a workflow's objects have known ones")
    if model.model_computed_fields:
        computed = ", ".join(model.model_computed_fields)
        raise UnsupportedType(f"{name} has computed fields ({computed}); make them plain fields")
    fields: dict[str, Type] = {}
    for field_name, field in model.model_fields.items():
        where = f"{name}.{field_name}"
        if field.alias is not None or field.serialization_alias is not None:
            raise UnsupportedType(f"{where} has an alias; workflows know fields by their own name")
        if isinstance(field.annotation, TypeVar):
            raise UnsupportedType(f"{where} is a type variable; use {name}[...]")
        fields[field_name] = _derive(field.annotation, where, (*around, model))
    _models[model] = of = ObjectType(fields=fields)
    return of


def _by_schema(annotation: object, where: str) -> Type:
    """Derive scalars such as UUID or EmailStr from what pydantic writes for them."""
    shown = getattr(annotation, "__name__", None) or str(annotation)
    origin = get_origin(annotation) or annotation
    if origin is float:
        raise UnsupportedType(f"{where} is a float; use an int in a small unit, such as cents")
    if origin is dict:
        message = f"{where} is a dict with unknown keys; use a model, or JsonValue to pass it on"
        raise UnsupportedType(message)
    try:
        adapter: TypeAdapter[object] = TypeAdapter(cast("type[object]", annotation))
        schema = adapter.json_schema(mode="serialization")
    except Exception as error:
        raise UnsupportedType(f"{where} has the type {shown}, which pydantic refuses") from error
    of = _SCHEMA_TYPES.get(schema.get("type"))
    if of is None:
        remedy = "use models, list[...], str, int, bool, None or JsonValue"
        raise UnsupportedType(f"{where} has the type {shown}; {remedy}")
    return of
