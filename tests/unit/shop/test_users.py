"""Registration, log-in, throttling and sessions."""

from __future__ import annotations

from typing import Any

import pytest

from cartwheel.http import TooManyRequests, Unauthenticated
from cartwheel.ports import ConfigurationError, Ports
from cartwheel_memory import MemoryHost
from cartwheel_shop.users import _passwords
from cartwheel_shop.users import service as users
from cartwheel_shop.users.model import EmailTaken, User
from tests.support.shopping import PASSWORD, Shopper, customer

HOME = "192.0.2.1"


@pytest.fixture
def shopper(host: MemoryHost) -> Shopper:
    return Shopper(host.dispatcher)


def register(ports: Ports, email: str = "ada@example.org") -> User:
    return users.register(ports, email, PASSWORD, "Ada")


def log_in(ports: Ports, password: str = PASSWORD, client: str = HOME) -> users.Tokens:
    return users.log_in(ports, "ada@example.org", password, client)


def test_a_password_is_kept_as_an_argon2id_hash_of_the_promised_cost(ports: Ports) -> None:
    user = register(ports)
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in user.model_dump_json()


def test_an_address_is_registered_once_in_whatever_case(ports: Ports) -> None:
    register(ports, "Ada@Example.org")
    with pytest.raises(EmailTaken):
        register(ports, "ada@example.ORG ")


def test_a_claim_whose_user_was_never_written_is_taken_over(ports: Ports) -> None:
    claim = users._claim(ports, "ada@example.org", "usr_lost")
    assert register(ports).user_id == claim.user_id == "usr_lost"


def test_a_hash_of_another_cost_is_renewed_at_log_in(ports: Ports) -> None:
    from argon2 import PasswordHasher

    user = register(ports)
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    old = user.model_copy(update={"password_hash": weak})
    assert _passwords.outdated(weak)
    users._rehash(ports, user, PASSWORD)
    renewed = users.get(ports, user.user_id)
    assert renewed.password_hash not in {user.password_hash, old.password_hash}
    assert not _passwords.outdated(renewed.password_hash)


def test_an_unknown_user_costs_a_hash_of_the_same_parameters_and_is_never_right() -> None:
    _passwords._nobody.cache_clear()
    assert not _passwords.matches(None, "the password of nobody at all")
    assert _passwords._nobody.cache_info().misses == 1
    assert not _passwords.outdated(_passwords._nobody())


def test_the_sixth_failure_of_an_account_is_too_many_even_with_the_right_password(
    host: MemoryHost,
) -> None:
    ports = host.ports
    register(ports)
    for number in range(5):
        with pytest.raises(Unauthenticated):
            log_in(ports, "wrong password", f"198.51.100.{number}")
    with pytest.raises(TooManyRequests) as refused:
        log_in(ports)
    assert 0 < refused.value.retry_after <= 900
    host.clock.advance(901)
    assert log_in(ports).user_id


def test_a_right_password_forgets_the_failures_before_it(ports: Ports) -> None:
    register(ports)
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(Unauthenticated):
                log_in(ports, "wrong password")
        assert log_in(ports).user_id


def test_an_address_that_failed_twenty_times_is_refused_for_every_account(ports: Ports) -> None:
    register(ports)
    for number in range(20):
        with pytest.raises(Unauthenticated):
            users.log_in(ports, f"nobody{number}@example.org", "wrong password", HOME)
    with pytest.raises(TooManyRequests):
        log_in(ports)
    assert log_in(ports, client="198.51.100.9").user_id


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(ports: Ports) -> None:
    register(ports)
    first = log_in(ports)
    second = users.refresh(ports, first.refresh_token)
    with pytest.raises(Unauthenticated):
        users.refresh(ports, first.refresh_token)
    with pytest.raises(Unauthenticated):
        users.refresh(ports, second.refresh_token)


def test_a_session_ends_at_log_out_and_leaves_other_sessions(ports: Ports) -> None:
    register(ports)
    here, there = log_in(ports), log_in(ports)
    users.log_out(ports, here.refresh_token)
    with pytest.raises(Unauthenticated):
        users.refresh(ports, here.refresh_token)
    assert users.refresh(ports, there.refresh_token).user_id == there.user_id


def test_a_session_that_was_not_used_for_a_month_is_over(host: MemoryHost) -> None:
    register(host.ports)
    tokens = log_in(host.ports)
    host.clock.advance(30 * 86_400)
    with pytest.raises(Unauthenticated):
        users.refresh(host.ports, tokens.refresh_token)


@pytest.mark.parametrize("token", ["", ".", "ses_1", "ses_1.", "usr_1.x", "ses_/../x.y", "ses_9.z"])
def test_a_made_up_refresh_token_is_refused_and_logging_it_out_does_nothing(
    ports: Ports, token: str
) -> None:
    with pytest.raises(Unauthenticated):
        users.refresh(ports, token)
    users.log_out(ports, token)


def test_no_secret_of_a_user_is_kept_in_the_clear(host: MemoryHost) -> None:
    register(host.ports)
    tokens = log_in(host.ports)
    kept = repr(vars(host.disk))
    for secret in (PASSWORD, tokens.refresh_token.partition(".")[2], tokens.access_token):
        assert secret not in kept


def test_the_command_line_makes_users_of_every_role(ports: Ports) -> None:
    for role in ("customer", "staff", "admin"):
        user = users.create_user(ports, f"{role}@example.org", PASSWORD, role)
        assert (user.role, user.name) == (role, role)


@pytest.mark.parametrize(
    ("email", "password", "role", "why"),
    [
        ("a@example.org", PASSWORD, "root", "there are: customer, staff, admin"),
        ("a@example.org", "short", "admin", "10 to 128 characters"),
        ("nobody", PASSWORD, "admin", "no e-mail address"),
        ("a@localhost", PASSWORD, "admin", "no e-mail address"),
        ("a@@example.org", PASSWORD, "admin", "no e-mail address"),
        ("a\x00@example.org", PASSWORD, "admin", "no e-mail address"),
        ("a@" + "b" * 250 + ".org", PASSWORD, "admin", "no e-mail address"),
        ("a b@example.org", PASSWORD, "admin", "no e-mail address"),
    ],
)
def test_the_command_line_refuses_what_the_api_would_refuse(
    ports: Ports, email: str, password: str, role: str, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        users.create_user(ports, email, password, role)


def test_register_log_in_and_profile_over_http(host: MemoryHost) -> None:
    ada = customer(host.dispatcher)
    assert ada.get("/users/me")["role"] == "customer"
    assert ada.send("PATCH", "/users/me", {"name": "Ada L."}).status == 200
    assert ada.get("/users/me")["name"] == "Ada L."
    wrong = ada.send("POST", "/users/register", {"email": "x", "password": "p", "name": ""})
    problem: Any = wrong.json()
    assert wrong.status == 422
    assert {error["pointer"] for error in problem["errors"]} == {"#/email", "#/password", "#/name"}
    again = {"email": "ada@example.org", "password": PASSWORD, "name": "Eve"}
    taken: Any = ada.send("POST", "/users/register", again).json()
    assert (taken["status"], taken["code"]) == (409, "email_taken")


def test_tokens_are_refreshed_and_ended_over_http(shopper: Shopper) -> None:
    customer(shopper.dispatcher)
    credentials = {"email": "ada@example.org", "password": PASSWORD}
    tokens: Any = shopper.send("POST", "/users/login", credentials).json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    body = {"refresh_token": tokens["refresh_token"]}
    fresh: Any = shopper.send("POST", "/users/refresh", body).json()
    shopper.token = fresh["access_token"]
    assert shopper.get("/users/me")["user_id"] == tokens["user_id"]
    out = {"refresh_token": fresh["refresh_token"]}
    assert shopper.send("POST", "/users/logout", out).status == 204
    assert shopper.send("POST", "/users/refresh", out).status == 401


def test_too_many_failures_say_when_to_come_back(shopper: Shopper) -> None:
    wrong = {"email": "nobody@example.org", "password": "wrong password"}
    answers = [shopper.send("POST", "/users/login", wrong) for _ in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
