"""What people do with accounts, sessions, carts and products, crashed at every port call.

Whoever sent the request that a crash cut short sends it again; in the end all is as it should be,
and nobody is in who should be out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.ports import Ports
from cartwheel.testing import Crash
from cartwheel_memory import MemoryHost
from cartwheel_shop.carts import service as carts
from cartwheel_shop.users import service as users
from cartwheel_workflows.shop import shop_app
from tests.e2e.crash.bugs import without_outbox
from tests.e2e.crash.worlds import CrashAt
from tests.support.accounts import (
    ADA,
    MUG,
    NEW,
    ROLE,
    USER,
    Action,
    Check,
    World,
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
from tests.support.shopping import PASSWORD

LEASE = 61
"""Seconds after which what a crash left in flight comes again."""


def tokens_mailed(world: World) -> list[str]:
    texts = [mail.text for mail in world.host.mailbox.mails()]
    return [found for text in texts for found in re.findall(r"usr_\w+\.[0-9a-f]{64}", text)]


def ask_for_reset(world: World) -> None:
    assert world.send("POST", "/users/password-reset", {"email": ADA}).status == 202


def reset_by_hand(world: World) -> None:
    """Set a new password with the token of the reset mail, unless it has been."""
    body = {"token": tokens_mailed(world)[-1], "new_password": NEW}
    world.send("POST", "/users/password-reset/confirm", body)


def only(password: str) -> Check:
    """Hold one password to let Ada in, and no other."""

    def check(world: World) -> None:
        for known in (PASSWORD, NEW):
            assert world.opens(known) is (known == password), known
        assert not world.works(vars_of(world.tokens))

    return check


def one_user(world: World) -> None:
    """Hold Ada to have one account, of the one who asked for it."""
    listed = world.boss.get(f"/users?email={ADA}")["items"]
    assert len(listed) == 1
    assert world.opens(NEW)


def still_in(world: World) -> None:
    assert world.opens(PASSWORD)
    assert world.statuses().count(200) <= 2


def the_last_mail_counts(world: World) -> None:
    assert 1 <= len(set(tokens_mailed(world))) <= 2
    reset_by_hand(world)
    assert world.answers[-1].status == 204
    only(NEW)(world)


def gone(world: World) -> None:
    """Hold Ada to have left, with her cart, and her address to be free."""
    assert not world.opens(PASSWORD)
    no_session(world)
    assert carts.lines_of(world.host.ports, carts.cart_of_customer(USER)) == ()
    world.register(NEW)
    assert world.answers[-1].status == 201
    one_user(world)


def of_role(world: World) -> None:
    found = users.find(world.host.ports, USER)
    assert found is not None
    assert (found.role, found.revision) == ("staff", 2)


def merged(world: World) -> None:
    assert in_carts(world) == (2, 0)


def costs_one(world: World) -> None:
    assert world.boss.get(MUG)["price"]["amount"] == 1


def with_a_cart(world: World) -> None:
    world.put_into_cart(2)
    world.answers.clear()


STORIES: dict[str, tuple[Action, Action, Check]] = {
    "register": (nobody, lambda w: w.register(NEW), one_user),
    "log in": (as_it_is, World.log_in, still_in),
    "refresh": (as_it_is, World.refresh, still_in),
    "log out": (as_it_is, World.log_out, no_refresh),
    "change the password": (as_it_is, World.change_password, only(NEW)),
    "ask for a reset": (as_it_is, ask_for_reset, the_last_mail_counts),
    "reset the password": (reset_asked_for, reset_by_hand, only(NEW)),
    "leave": (with_a_cart, World.leave, gone),
    "suspend": (as_it_is, World.suspend, no_session),
    "give a role": (as_it_is, lambda w: w.edit(ROLE, {"role": "staff"}), of_role),
    "take over a guest's cart": (guest_with_two_mugs, World.merge, merged),
    "change a price": (
        as_it_is,
        lambda w: w.edit(MUG, {"price": {"amount": 1, "currency": "EUR"}}),
        costs_one,
    ),
    "end a product": (as_it_is, lambda w: w.send("DELETE", MUG, caller=w.boss), deleted),
}


def crash() -> None:
    raise Crash


def cut_short(
    story: str, hook: CrashAt, around: Callable[[Ports], Ports] | None = None
) -> tuple[World, bool]:
    """Do what the story does in a shop that ends at a port call; tells whether it did end."""
    before, act, _ = STORIES[story]
    world = opened(hook, around)
    before(world)
    hook.armed = True
    try:
        act(world)
        world.host.settle(30)
    except Crash:
        return world, True
    finally:
        hook.armed = False
    return world, False


def wrong_after(
    story: str, number: int, *, after: bool, around: Callable[[Ports], Ports] | None = None
) -> str | None:
    """Crash a story at a call, do it again on a shop opened anew; gives what is wrong then."""
    _, act, check = STORIES[story]
    world, crashed = cut_short(story, CrashAt(crash, number, after=after), around)
    assert crashed
    options = HostOptions(log=discard, replace=around)
    world.host = MemoryHost(shop_app(), options, disk=world.host.disk)
    world.host.clock.advance(LEASE)
    act(world)
    world.host.settle(120)
    try:
        check(world)
    except AssertionError as wrong:
        return f"call {number}, after={after}: {world.statuses()} {wrong}"
    return None


@pytest.mark.parametrize("story", STORIES)
def test_what_a_crash_cut_short_and_was_asked_for_again_ends_as_it_should(story: str) -> None:
    whole = CrashAt(lambda: None)
    STORIES[story][2](cut_short(story, whole)[0])
    points = 0
    for number in range(1, whole.count + 1):
        for after in (False, True):
            assert wrong_after(story, number, after=after) is None
            points += 1
    print(f"{story}: {whole.count} calls, {points} points")
    assert points == 2 * whole.count > 0


def test_an_event_that_is_not_in_the_commit_is_missed_only_by_a_crash() -> None:
    def around(ports: Ports) -> Ports:
        return without_outbox(ports, None)

    whole = CrashAt(lambda: None)
    STORIES["leave"][2](cut_short("leave", whole, around)[0])
    wrong = [
        wrong_after("leave", number, after=True, around=around)
        for number in range(1, whole.count + 1)
    ]
    print(f"an event beside the commit: missed at {len(list(filter(None, wrong)))} calls")
    assert 0 < len(list(filter(None, wrong))) < whole.count
