"""Leads a stack's tables to other indexes in steps that AWS can take.

One update of a stack may make or delete one global secondary index of a table, no more. So between
the template that is deployed and the one that is wanted there are others, each one index further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TypeAlias

from cartwheel_aws.deploy._tables import MAX_INDEXES

TABLE = "AWS::DynamoDB::Table"
Template: TypeAlias = Mapping[str, object]
Index: TypeAlias = Mapping[str, object]


def steps(current: Template, wanted: Template) -> tuple[Template, ...]:
    """Give the templates to deploy one after the other; the last one is the wanted one.

    All but the indexes of tables that exist is as wanted from the first step on. New indexes come
    before old ones go, unless the table is full; one that changes goes first, then comes anew.
    """
    paths = {
        name: list(_path(_indexes(before), _indexes(_table(wanted, name))))
        for name, before in _tables(current)
        if _table(wanted, name)
    }
    between: list[Template] = []
    for row in zip_longest(*paths.values()):
        # A table that is there already stays as it is wanted.
        sets = {
            name: list(found) for name, found in zip(paths, row, strict=True) if found is not None
        }
        between.append(_with(wanted, current, sets))
    return (*between[:-1], wanted)


def _path(before: Sequence[Index], after: Sequence[Index]) -> Iterator[tuple[Index, ...]]:
    """Give the sets of indexes on the way, each one index more or less than the one before."""
    wanted = {str(one["IndexName"]): one for one in after}
    held = {str(one["IndexName"]): one for one in before}
    new = [name for name in wanted if name not in held]
    old = [name for name in held if name not in wanted]
    changed = [name for name in wanted if name in held and _shape(wanted[name], held[name])]
    while new or old:
        # A full table has to give one up before it takes another.
        if new and (len(held) < MAX_INDEXES or not old):
            name = new.pop(0)
            held[name] = wanted[name]
        else:
            del held[old.pop(0)]
        yield tuple(held.values())
    for name in changed:
        del held[name]
        yield tuple(held.values())
        held[name] = wanted[name]
        yield tuple(held.values())


def _shape(one: Index, other: Index) -> bool:
    """Tell whether an index has to be made anew: its keys or what it holds are others."""
    return any(one.get(part) != other.get(part) for part in ("KeySchema", "Projection"))


def _with(wanted: Template, current: Template, sets: Mapping[str, list[Index]]) -> Template:
    """Give the wanted template with these indexes instead of those that it has."""
    resources: dict[str, object] = dict(_mapping(wanted.get("Resources")))
    for name, indexes in sets.items():
        table = dict(_mapping(resources[name]))
        properties = dict(_mapping(table["Properties"]))
        definitions = {
            str(one["AttributeName"]): one
            for source in (current, wanted)
            for one in _list(_mapping(_table(source, name)).get("AttributeDefinitions"))
        }
        used = _attributes([properties, *_list(properties.get("LocalSecondaryIndexes")), *indexes])
        # AWS refuses attributes that no key has.
        properties["AttributeDefinitions"] = [definitions[one] for one in used]
        if indexes:
            properties["GlobalSecondaryIndexes"] = indexes
        else:
            properties.pop("GlobalSecondaryIndexes", None)
        resources[name] = table | {"Properties": properties}
    return {**wanted, "Resources": resources}


def _attributes(keyed: Sequence[Mapping[str, object]]) -> list[str]:
    names = [str(key["AttributeName"]) for one in keyed for key in _list(one.get("KeySchema"))]
    return list(dict.fromkeys(names))


def _tables(template: Template) -> Iterator[tuple[str, Mapping[str, object]]]:
    for name, resource in _mapping(template.get("Resources")).items():
        if _mapping(resource).get("Type") == TABLE:
            yield name, _mapping(_mapping(resource).get("Properties"))


def _table(template: Template, name: str) -> Mapping[str, object]:
    return dict(_tables(template)).get(name, {})


def _indexes(table: Mapping[str, object]) -> list[Index]:
    return _list(table.get("GlobalSecondaryIndexes"))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, object]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
