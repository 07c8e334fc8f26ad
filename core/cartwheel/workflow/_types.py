"""The types of workflow values:

JSON without floats, objects with known fields, and nothing that can be absent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_INT = 2**53 - 1
"""Largest integer that every engine keeps exactly; arithmetic saturates at plus and minus this."""


class Node(BaseModel):
    """Base of everything in the intermediate form: frozen, and strict about unknown fields."""

    # Schemas are built on first use: a process that runs no workflow never pays for them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NullType(Node):
    """The type whose only value is null."""

    kind: Literal["null"] = "null"


class BoolType(Node):
    """true or false."""

    kind: Literal["bool"] = "bool"


class IntType(Node):
    """A whole number, |n| < 2^53."""

    kind: Literal["int"] = "int"


class StringType(Node):
    """A string; `enum` lists the possible values where they are known."""

    kind: Literal["string"] = "string"
    enum: tuple[str, ...] | None = None


class JsonType(Node):
    """Opaque JSON, which a workflow may pass on but not look into."""

    kind: Literal["json"] = "json"


class NeverType(Node):
    """The type of the items of an empty list; it has no value."""

    kind: Literal["never"] = "never"


class ListType(Node):
    """A list whose items have one type."""

    kind: Literal["list"] = "list"
    item: Type


class ObjectType(Node):
    """An object with exactly these fields, all present; one that may be missing is null instead."""

    kind: Literal["object"] = "object"
    fields: dict[str, Type] = Field(default_factory=dict)


class OptionalType(Node):
    """A value or null."""

    kind: Literal["optional"] = "optional"
    of: Type


Type = Annotated[
    NullType
    | BoolType
    | IntType
    | StringType
    | JsonType
    | NeverType
    | ListType
    | ObjectType
    | OptionalType,
    Field(discriminator="kind"),
]

NULL = NullType()
BOOL = BoolType()
INT = IntType()
STRING = StringType()
JSON = JsonType()
NEVER = NeverType()

ERROR_TYPE = ObjectType(
    fields={"code": STRING, "message": STRING, "details": JSON, "retryable": BOOL}
)
"""What a handler sees of the error that it caught."""


def optional(of: Type) -> Type:
    """Return the nullable form of a type; what is nullable already stays as it is."""
    if isinstance(of, OptionalType | NullType | JsonType):
        return of
    if isinstance(of, NeverType):
        return NULL
    return OptionalType(of=of)


def without_null(of: Type) -> Type:
    """Return a type with null taken out."""
    if isinstance(of, OptionalType):
        return of.of
    return NEVER if isinstance(of, NullType) else of


def is_nullable(of: Type) -> bool:
    """Tell whether null is among the values of a type."""
    return isinstance(of, OptionalType | NullType | JsonType)


def assignable(source: Type, target: Type) -> bool:
    """Tell whether every value of `source` is a value of `target`.

    A string without known values may go where some are listed: the task's own validation decides
    then. Objects need the very same fields, because tasks refuse unknown ones.
    """
    match target:
        case JsonType():
            return True
        case OptionalType(of=inner):
            return isinstance(source, NullType) or assignable(without_null(source), inner)
        case _ if isinstance(source, NeverType):
            return True
        case StringType(enum=wanted):
            if not isinstance(source, StringType):
                return False
            return wanted is None or source.enum is None or set(source.enum) <= set(wanted)
        case ListType(item=item):
            return isinstance(source, ListType) and assignable(source.item, item)
        case ObjectType(fields=fields):
            return (
                isinstance(source, ObjectType)
                and source.fields.keys() == fields.keys()
                and all(assignable(source.fields[name], field) for name, field in fields.items())
            )
        case _:
            return source.kind == target.kind


def join(one: Type, two: Type) -> Type | None:
    """Return the narrowest type that holds both, or None when there is none."""
    if isinstance(one, NeverType):
        return two
    if isinstance(two, NeverType):
        return one
    if is_nullable(one) or is_nullable(two):
        if isinstance(one, JsonType) or isinstance(two, JsonType):
            return JSON
        inner = join(without_null(one), without_null(two))
        return None if inner is None else optional(inner)
    match one, two:
        case StringType(), StringType():
            if one.enum is None or two.enum is None:
                return STRING
            return StringType(enum=tuple(sorted({*one.enum, *two.enum})))
        case ListType(), ListType():
            item = join(one.item, two.item)
            return None if item is None else ListType(item=item)
        case ObjectType(), ObjectType():
            if one.fields.keys() != two.fields.keys():
                return None
            fields: dict[str, Type] = {}
            for name, field in one.fields.items():
                joined = join(field, two.fields[name])
                if joined is None:
                    return None
                fields[name] = joined
            return ObjectType(fields=fields)
        case _:
            return one if one.kind == two.kind else None


def describe(of: Type) -> str:
    """Return a type as a user would write it."""
    match of:
        case StringType(enum=None):
            return "str"
        case StringType(enum=values):
            return "one of " + ", ".join(repr(value) for value in values or ())
        case ListType(item=item):
            return f"list[{describe(item)}]"
        case ObjectType(fields=fields):
            inside = ", ".join(f"{name}: {describe(field)}" for name, field in fields.items())
            return "{" + inside + "}"
        case OptionalType(of=inner):
            return f"{describe(inner)} | None"
        case NullType():
            return "None"
        case _:
            return of.kind
