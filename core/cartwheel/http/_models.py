"""The bases of what an API takes and gives: strict bodies, queries from text, views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

M = TypeVar("M", bound=BaseModel)

# Built when a route is served that takes it: a function serves few of an application's routes.
_STRICT = ConfigDict(
    strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
)


class Body(BaseModel):
    """Is the base of request bodies: strict types, unknown fields refused, frozen."""

    model_config = _STRICT


class Query(BaseModel):
    """Is the base of query strings: fields are int, bool, text forms, or lists of them.

    A field whose name is no Python name takes an alias: `from_: date = Field(alias="from")`.
    """

    model_config = _STRICT


class View(BaseModel):
    """Is the base of what routes answer; it is written by alias and built by name or alias."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Reply(Generic[M]):
    """Answers a model with headers of its own, or with another status than the route's.

    A handler annotated `-> Reply[OrderView]` is described in OpenAPI as one that answers OrderView.
    """

    model: M
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
