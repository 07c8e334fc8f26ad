"""What a user is, who still counts as failing, and how long things are good; to the second."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from cartwheel_shop.users import model
from cartwheel_shop.users.model import Failures, Family, Reset, User, normalized

AT = "2026-01-01T00:00:00.000Z"
NOW = 1_767_225_600.0


def user(**more: object) -> User:
    made = User(
        user_id="usr_1",
        email="ada@example.org",
        name="Ada",
        role="staff",
        password_hash="$argon2id$...",
        created_at=AT,
        updated_at=AT,
    )
    return made.model_copy(update=more)


def failed(*ago: float) -> Failures:
    return Failures(times=tuple(int(NOW - seconds) for seconds in ago))


def test_times_and_limits_are_as_promised() -> None:
    assert (model.ACCESS_SECONDS, model.SESSION_SECONDS) == (900, 2_592_000)
    assert (model.RESET_SECONDS, model.RESETS_AN_HOUR) == (3600, 5)
    assert (model.ACCOUNT_FAILURES, model.ADDRESS_FAILURES) == (5, 20)
    assert model.FAILURE_WINDOW == 900


def test_refusals_have_the_status_of_their_kind() -> None:
    assert (model.WrongPassword.status, model.ResetTokenInvalid.status) == (403, 400)
    assert (model.EmailTaken.status, model.OwnAccount.status) == (409, 409)


@pytest.mark.parametrize(
    ("suspended", "deleted", "active"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_only_who_is_neither_suspended_nor_gone_may_act(
    suspended: bool, deleted: bool, active: bool
) -> None:
    assert user(suspended=suspended, deleted=deleted).active is active


def test_a_new_user_is_active_in_the_first_generation() -> None:
    new = user()
    assert (new.active, new.suspended, new.deleted) == (True, False, False)
    assert (new.generation, new.revision, new.kind) == (0, 1, "user")
    family = Family(user_id="usr_1", current="0", expires_at=AT)
    assert (family.ended, family.generation) == (False, 0)


def test_ending_sessions_begins_the_next_generation_and_changes_nothing_else() -> None:
    assert user(generation=3).without_sessions() == user(generation=4)


def test_who_leaves_keeps_an_id_and_nothing_personal() -> None:
    gone = user(generation=3).anonymised()
    assert (gone.user_id, gone.generation, gone.deleted, gone.kind) == ("usr_1", 4, True, None)
    assert (gone.email, gone.name, gone.password_hash) == ("", "", "")
    assert not gone.active


def test_a_request_for_a_reset_counts_for_an_hour() -> None:
    asked = tuple(int(NOW - ago) for ago in (3601, 3600, 3599, 0))
    assert Reset(asked=asked).recent(NOW) == (int(NOW - 3599), int(NOW))
    assert (Reset().digest, Reset().expires_at, Reset().asked) == ("", "", ())


def test_a_failure_counts_for_a_quarter_of_an_hour() -> None:
    assert failed(901, 900, 899, 1, 0).recent(NOW) == failed(899, 1, 0)


def test_one_failure_more_drops_what_no_longer_counts() -> None:
    assert failed(900, 5).plus(NOW + 0.9) == failed(5, 0)
    assert Failures().plus(NOW) == failed(0)


@pytest.mark.parametrize("limit", [1, 5, 20])
def test_the_next_try_is_allowed_until_the_limit_is_reached(limit: int) -> None:
    assert failed(*[10] * (limit - 1)).retry_after(limit, NOW) is None
    assert failed(*[10] * limit).retry_after(limit, NOW) == 890


def test_the_wait_ends_when_fewer_than_the_limit_still_count() -> None:
    # With six failures at a limit of five it is the second oldest that has to go first.
    failures = failed(50, 300, 200, 100, 600, 400)
    wait = failures.retry_after(5, NOW)
    assert wait == 900 - 400
    assert failures.retry_after(5, NOW + wait) is None
    assert failures.retry_after(5, NOW + wait - 1) == 1


def test_a_wait_is_at_least_a_second() -> None:
    assert failed(899).retry_after(1, NOW) == 1
    assert failed(899).retry_after(1, NOW + 0.5) == 1


@pytest.mark.parametrize("email", ["  Ada@Example.ORG\n", "ADA@EXAMPLE.ORG", "ada@example.org"])
def test_an_address_is_one_in_whatever_case_and_space(email: str) -> None:
    assert normalized(email) == "ada@example.org"
    assert normalized("STRASSE@x.org") == normalized("straße@x.org")


@pytest.mark.parametrize(
    "email", ["a@b.cd", "x" * 64 + "@example.org", "a@" + "b" * 240 + ".example.org", "ü@ä.eu"]
)
def test_an_address_with_one_at_and_a_dotted_host_is_taken(email: str) -> None:
    assert TypeAdapter[str](model.Email).validate_python(email) == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a@b.c",
        "a@b",
        "a@@b.cd",
        "a@.cd",
        "a@b..cd",
        "a@b.cd.",
        "@b.cd.ef",
        "a b@c.de",
        "a@b c.de",
        "a\x00@b.cd",
        "a@b\x7f.cd",
        "a\x85@b.cd",
        "a@b.cd\ufeff",
        "a@b.cd\n",
        "x" * 65 + "@example.org",
        "a@" + "b" * 241 + ".example.org",
    ],
)
def test_any_other_address_is_refused(email: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[str](model.Email).validate_python(email)


@pytest.mark.parametrize(("kind", "least", "most"), [("Password", 10, 128), ("PersonName", 1, 100)])
def test_passwords_and_names_have_their_lengths(kind: str, least: int, most: int) -> None:
    adapter = TypeAdapter[str](getattr(model, kind))
    for length in (least, most):
        assert adapter.validate_python("x" * length)
    for length in (least - 1, most + 1):
        with pytest.raises(ValidationError):
            adapter.validate_python("x" * length)
