"""Accounts, sessions, carts and products: one actor is stopped at each gap, another runs through.

What `test_interleavings` shows of stock and money, for who is who and who may get in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cartwheel.ports import Ports
from cartwheel_shop.carts import service as carts
from cartwheel_shop.catalog import service as catalog
from cartwheel_shop.users import service as users
from cartwheel_workflows.shop import shop_app
from tests.e2e import test_interleavings as goods
from tests.support.accounts import (
    MUG,
    NEW,
    NEWER,
    ROLE,
    Action,
    Around,
    Check,
    World,
    all_tokens,
    as_it_is,
    deleted,
    guest_with_two_mugs,
    in_carts,
    no_refresh,
    no_session,
    nobody,
    opened,
    reset_asked_for,
    vars_of,
)
from tests.support.pauses import Pauses
from tests.support.shopping import PASSWORD, Shopper


def four_failures(world: World) -> None:
    for _ in range(4):
        assert world.log_in("wrong") == 401
    world.answers.clear()


def one_account(world: World) -> None:
    """Hold one of two who registered to be the owner, the other to have no way in."""
    assert world.statuses() == [201, 409]
    assert world.opens(NEW) != world.opens(NEWER)


def only_the_new_password(world: World) -> None:
    """Hold whoever knew the old password to be out; only the change itself begins a session."""
    assert not world.opens(PASSWORD)
    assert world.opens(NEW)
    for tokens in all_tokens(world):
        assert world.works(tokens) is (tokens.get("from") == "/users/me/password")


def one_reset(world: World) -> None:
    assert world.statuses() == [204, 400]
    assert world.opens(NEW) != world.opens(NEWER)
    assert not world.opens(PASSWORD)
    no_session(world)


def the_reset_counts(world: World) -> None:
    assert world.opens(NEWER)
    assert not world.opens(PASSWORD)
    assert not world.opens(NEW)
    no_session(world)


def one_edit(world: World) -> None:
    assert world.statuses() == [200, 412]


def at_most_one_owner(world: World) -> None:
    again = world.opens(NEW)
    assert world.statuses() == ([201, 204] if again else [204, 409])
    world.register(NEWER)
    assert world.answers[-1].status == (409 if again else 201)
    assert not world.opens(PASSWORD)
    assert not world.works(vars_of(world.tokens))


def one_more_try(world: World) -> None:
    assert world.statuses() == [401, 429]
    assert not world.opens(PASSWORD)


def holding(mugs: int) -> Check:
    def check(world: World) -> None:
        assert sum(in_carts(world)) == mugs, in_carts(world)

    return check


def in_its_category(world: World) -> None:
    listed = Shopper(world.host.dispatcher).get("/categories")
    assert [name for name in str(listed).split("'") if name in {"garden", "Garden"}] == ["garden"]


def make_product(world: World) -> None:
    body = {"name": "Fork", "category": "garden", "price": {"amount": 1, "currency": "EUR"}}
    world.send("POST", "/products", body, caller=world.boss)


PAIRS: dict[str, tuple[Action, Action, Action, Check]] = {
    "register, register": (
        nobody,
        lambda w: w.register(NEW),
        lambda w: w.register(NEWER),
        one_account,
    ),
    "refresh, the same again": (as_it_is, World.refresh, World.refresh, no_refresh),
    "refresh, log out": (as_it_is, World.refresh, World.log_out, no_refresh),
    "log out, refresh": (as_it_is, World.log_out, World.refresh, no_refresh),
    "refresh, suspended": (as_it_is, World.refresh, World.suspend, no_session),
    "refresh, left": (as_it_is, World.refresh, World.leave, no_session),
    "log in, suspended": (as_it_is, World.log_in, World.suspend, no_session),
    "log in, left": (as_it_is, World.log_in, World.leave, no_session),
    "log in, password changed": (
        as_it_is,
        World.log_in,
        World.change_password,
        only_the_new_password,
    ),
    "password changed, log in": (
        as_it_is,
        World.change_password,
        World.log_in,
        only_the_new_password,
    ),
    "reset, the same again": (
        reset_asked_for,
        lambda w: w.confirm_reset(NEW),
        lambda w: w.confirm_reset(NEWER),
        one_reset,
    ),
    "password changed, reset": (
        reset_asked_for,
        World.change_password,
        lambda w: w.confirm_reset(NEWER),
        the_reset_counts,
    ),
    "leave, register": (as_it_is, World.leave, lambda w: w.register(NEW), at_most_one_owner),
    "register, leave": (as_it_is, lambda w: w.register(NEW), World.leave, at_most_one_owner),
    "fifth failure, sixth": (
        four_failures,
        lambda w: w.log_in("wrong"),
        lambda w: w.log_in("wrong"),
        one_more_try,
    ),
    "role, role": (
        as_it_is,
        lambda w: w.edit(ROLE, {"role": "staff"}),
        lambda w: w.edit(ROLE, {"role": "admin"}),
        one_edit,
    ),
    "cart, cart": (
        as_it_is,
        lambda w: w.put_into_cart(1),
        lambda w: w.put_into_cart(2),
        holding(3),
    ),
    "merge, itself again": (guest_with_two_mugs, World.merge, World.merge, holding(2)),
    "merge, the guest goes on": (
        guest_with_two_mugs,
        World.merge,
        lambda w: w.guest().fill_cart(("prd_mug", 3)),
        holding(5),
    ),
    "price, price": (
        as_it_is,
        lambda w: w.edit(MUG, {"price": {"amount": 1, "currency": "EUR"}}),
        lambda w: w.edit(MUG, {"price": {"amount": 2, "currency": "EUR"}}),
        one_edit,
    ),
    "price, deleted": (
        as_it_is,
        lambda w: w.edit(MUG, {"price": {"amount": 1, "currency": "EUR"}}),
        lambda w: w.send("DELETE", MUG, caller=w.boss),
        deleted,
    ),
    "product, product of the same category": (
        as_it_is,
        make_product,
        make_product,
        in_its_category,
    ),
}


def run(name: str, gap: int | None, ports: Around | None = None) -> Pauses:
    """Play a pair with the second actor at a gap, after the first one without any, and judge."""
    before, first, second, check = PAIRS[name]
    pauses = Pauses(gap)
    world = opened(pauses, ports)
    before(world)

    def then() -> None:
        second(world)

    pauses.then = then
    pauses.watch()
    first(world)
    pauses.look_away()
    if gap is None:
        second(world)
    world.host.settle()
    try:
        check(world)
    except AssertionError as wrong:
        where = f"{name}, gap {gap} after {pauses.trace[-1:]}: {world.statuses()}"
        raise AssertionError(where) from wrong
    return pauses


@pytest.mark.parametrize("name", PAIRS)
def test_an_actor_stopped_at_any_gap_leaves_accounts_and_carts_in_order(name: str) -> None:
    gaps = len(run(name, None).trace)
    blocked = sum(run(name, gap).blocked for gap in range(1, gaps + 1))
    print(f"{name}: {gaps} gaps, the second actor had to wait at {blocked}")
    assert gaps > 0
    assert blocked == 0


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        (users.COLLECTION, "role, role"),
        (users.COLLECTION, "reset, the same again"),
        (users.SESSIONS, "refresh, the same again"),
        (users.THROTTLE, "fifth failure, sixth"),
        (carts.COLLECTION, "cart, cart"),
        (catalog.COLLECTION, "price, price"),
    ],
)
def test_a_store_that_ignores_versions_is_found_only_in_a_gap(collection: str, name: str) -> None:
    def ports(given: Ports) -> Ports:
        store: Any = goods.LastWriterWins(given.store, collection)
        return replace(given, store=store)

    gaps = len(run(name, None, ports).trace)
    found = []
    for gap in range(1, gaps + 1):
        try:
            run(name, gap, ports)
        except AssertionError:
            found.append(gap)
    print(f"{collection}, {name}: found at {len(found)} of {gaps} gaps")
    assert found


def test_some_actor_is_stopped_at_a_read_of_every_collection() -> None:
    reads = {call for name in PAIRS for call in run(name, None).trace}
    reads |= {call for name in goods.PAIRS for call in goods.run(name, None).trace}
    kept = {f"store.get({name})" for name in shop_app().collections}
    assert kept - reads == set(), "give a pair to who writes there"
