"""Tables get to other indexes one at a time, by templates that AWS takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwheel.ports import JsonObject
from cartwheel_aws.deploy._indexes import Template, steps
from cartwheel_aws.deploy._tables import MAX_INDEXES
from tests.support.aws_bundle import data_template, table

ORDERS = "OrdersTable"


def tables(**indexes: Sequence[str]) -> JsonObject:
    """Give a template with tables of these indexes."""
    found = data_template(tables=())
    for name, names in indexes.items():
        cast("JsonObject", found["Resources"])[name] = {
            "Type": "AWS::DynamoDB::Table",
            "Properties": table(name, names),
        }
    return found


def properties(template: Template, name: str) -> Mapping[str, object]:
    """Give a table's properties in a template."""
    resources = cast("Mapping[str, Mapping[str, object]]", template["Resources"])
    return cast("Mapping[str, object]", resources[name]["Properties"])


def indexes(template: Template, name: str) -> dict[str, object]:
    """Give a table's indexes by name, each as it is declared."""
    held = cast(
        "list[dict[str, object]]", properties(template, name).get("GlobalSecondaryIndexes", [])
    )
    return {str(one["IndexName"]): one for one in held}


def names(found: Sequence[Template], name: str) -> list[list[str]]:
    """Give the names of a table's indexes in each template."""
    return [sorted(indexes(one, name)) for one in found]


def check(current: Template, found: Sequence[Template], table_names: Sequence[str]) -> None:
    """Hold each step to what AWS takes: one index of a table, and no attribute beside the keys."""
    for before, after in zip((current, *found), found, strict=False):
        for name in table_names:
            old, new = indexes(before, name), indexes(after, name)
            assert len(old.keys() ^ new.keys()) <= 1
            assert len(new) <= MAX_INDEXES
            assert all(new[one] == old[one] for one in old.keys() & new.keys())
            declared = [
                one["AttributeName"]
                for one in cast(
                    "list[dict[str, str]]", properties(after, name)["AttributeDefinitions"]
                )
            ]
            assert sorted(declared) == sorted(["p", *(f"i_{one}" for one in new)])


def test_one_index_more_needs_no_step_between() -> None:
    wanted = tables(A=["x", "y"])
    (only,) = steps(tables(A=["x"]), wanted)
    assert only is wanted


def test_new_indexes_come_one_by_one_before_old_ones_go() -> None:
    current, wanted = tables(A=["a", "b"]), tables(A=["c", "d"])
    found = steps(current, wanted)
    assert names(found, "A") == [["a", "b", "c"], ["a", "b", "c", "d"], ["b", "c", "d"], ["c", "d"]]
    assert found[-1] is wanted
    check(current, found, ["A"])


def test_tables_go_side_by_side_and_new_ones_come_whole() -> None:
    current, wanted = tables(A=[], B=["a"]), tables(A=["x", "y"], B=[], C=["x", "y", "z"])
    found = steps(current, wanted)
    assert names(found, "A") == [["x"], ["x", "y"]]
    assert names(found, "B") == [[], []]
    assert names(found, "C") == [["x", "y", "z"], ["x", "y", "z"]]
    check(current, found, ["A", "B"])


def test_a_full_table_gives_an_index_up_first() -> None:
    full = [f"i{n}" for n in range(MAX_INDEXES)]
    current, wanted = tables(A=full), tables(A=["new", *full[1:]])
    found = steps(current, wanted)
    assert names(found, "A") == [sorted(full[1:]), sorted(["new", *full[1:]])]
    check(current, found, ["A"])


def test_an_index_of_other_keys_goes_and_comes_anew() -> None:
    current, wanted = tables(A=["x"]), tables(A=["x"])
    index = cast("list[dict[str, object]]", properties(wanted, "A")["GlobalSecondaryIndexes"])[0]
    index["Projection"] = {"ProjectionType": "KEYS_ONLY"}
    found = steps(current, wanted)
    assert names(found, "A") == [[], ["x"]]
    assert "GlobalSecondaryIndexes" not in properties(found[0], "A")
    check(current, found, ["A"])


def test_all_but_indexes_is_as_wanted_from_the_first_step() -> None:
    current, wanted = tables(A=[], Old=[]), tables(A=["x", "y"], New=[])
    first, _ = steps(current, wanted)
    assert "Old" not in cast("JsonObject", first["Resources"])
    assert "New" in cast("JsonObject", first["Resources"])


def test_without_a_stack_the_wanted_template_is_all() -> None:
    wanted = tables(A=["x", "y", "z"])
    assert steps({}, wanted) == (wanted,)


NAMES = st.lists(st.sampled_from([f"n{n}" for n in range(24)]), unique=True, max_size=MAX_INDEXES)


@given(before=NAMES, after=NAMES, others=st.tuples(NAMES, NAMES))
def test_any_way_is_one_index_at_a_time_and_gets_there(
    before: list[str], after: list[str], others: tuple[list[str], list[str]]
) -> None:
    current, wanted = tables(A=before, B=others[0]), tables(A=after, B=others[1])
    found = steps(current, wanted)
    assert found[-1] is wanted
    check(current, found, ["A", "B"])


def test_a_run_that_ended_half_way_goes_on_from_there() -> None:
    current, wanted = tables(A=["a"]), tables(A=["b", "c"])
    whole = steps(current, wanted)
    for done, reached in enumerate(whole, start=1):
        assert names(steps(reached, wanted), "A") == (names(whole[done:], "A") or [["b", "c"]])


@pytest.mark.parametrize("broken", [{}, {"Resources": None}, {"Resources": {"A": None}}])
def test_a_template_of_somebody_else_is_no_obstacle(broken: Template) -> None:
    assert len(steps(broken, tables(A=["x", "y"]))) == 1
