"""One's own account, and what administrators do to others'."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cartwheel_memory import MemoryHost
from cartwheel_shop.carts import service as carts
from cartwheel_shop.users import _recovery as recovery
from cartwheel_shop.users import service as users
from cartwheel_shop.users.model import EmailClaim, ResetTokenInvalid
from tests.support.shopping import PASSWORD, Shopper, customer, known

NEW = "another good horse"
ADA = "ada@example.org"


@pytest.fixture
def ada(host: MemoryHost) -> Shopper:
    return customer(host.dispatcher)


@pytest.fixture
def admin(host: MemoryHost) -> Shopper:
    return known(host.dispatcher, "usr_admin", "admin")


def log_in(host: MemoryHost, password: str, email: str = ADA) -> Any:
    return Shopper(host.dispatcher).send(
        "POST", "/users/login", {"email": email, "password": password}
    )


def user_id(shopper: Shopper) -> str:
    return str(shopper.get("/users/me")["user_id"])


def ask_for_reset(host: MemoryHost, email: str = ADA) -> Any:
    answer = Shopper(host.dispatcher).send("POST", "/users/password-reset", {"email": email})
    host.settle()
    return answer


def tokens_mailed(host: MemoryHost) -> list[str]:
    found = [re.search(r"usr_\w+\.[0-9a-f]{64}", mail.text) for mail in host.mailbox.mails()]
    return [match[0] for match in found if match is not None]


def confirm(host: MemoryHost, token: str, password: str = NEW) -> int:
    body = {"token": token, "new_password": password}
    return Shopper(host.dispatcher).send("POST", "/users/password-reset/confirm", body).status


def refresh(host: MemoryHost, tokens: Any) -> int:
    body = {"refresh_token": tokens["refresh_token"]}
    return Shopper(host.dispatcher).send("POST", "/users/refresh", body).status


def test_a_changed_password_ends_all_sessions_and_begins_a_new_one(
    host: MemoryHost, ada: Shopper
) -> None:
    before = log_in(host, PASSWORD).json()
    body = {"current_password": PASSWORD, "new_password": NEW}
    changed = ada.send("POST", "/users/me/password", body)
    assert changed.status == 200
    assert ada.send("GET", "/users/me").status == 401
    assert refresh(host, before) == 401
    assert refresh(host, changed.json()) == 200
    answer: Any = changed.json()
    assert Shopper(host.dispatcher, answer["access_token"]).send("GET", "/users/me").status == 200
    assert (log_in(host, PASSWORD).status, log_in(host, NEW).status) == (401, 200)


def test_a_password_is_changed_only_by_who_knows_it_and_guesses_are_counted(ada: Shopper) -> None:
    body = {"current_password": "wrong", "new_password": NEW}
    statuses = [ada.send("POST", "/users/me/password", body).status for _ in range(6)]
    assert statuses == [403] * 5 + [429]


def test_the_answer_to_a_reset_is_the_same_for_unknown_addresses(
    host: MemoryHost, ada: Shopper
) -> None:
    known_one, unknown_one = ask_for_reset(host), ask_for_reset(host, "eve@example.org")
    assert (known_one.status, known_one.body) == (unknown_one.status, unknown_one.body)
    assert known_one.status == 202
    assert [mail.to for mail in host.mailbox.mails()] == [ADA]


def test_a_reset_token_sets_a_password_once_and_ends_all_sessions(
    host: MemoryHost, ada: Shopper
) -> None:
    before = log_in(host, PASSWORD).json()
    ask_for_reset(host)
    (token,) = tokens_mailed(host)
    assert confirm(host, token) == 204
    assert confirm(host, token, "a third good horse") == 400
    assert ada.send("GET", "/users/me").status == 401
    assert refresh(host, before) == 401
    assert (log_in(host, PASSWORD).status, log_in(host, NEW).status) == (401, 200)


def test_only_the_newest_reset_token_is_good_and_for_an_hour(
    host: MemoryHost, ada: Shopper
) -> None:
    ask_for_reset(host)
    ask_for_reset(host)
    old, new = tokens_mailed(host)
    assert confirm(host, old) == 400
    host.clock.advance(3600)
    assert confirm(host, new) == 400


def test_a_reset_token_is_kept_nowhere_in_the_clear(host: MemoryHost, ada: Shopper) -> None:
    ask_for_reset(host)
    (token,) = tokens_mailed(host)
    secret = token.partition(".")[2]
    kept = [repr(rows) for rows in vars(host.disk).items() if rows[0] not in {"mails", "lock"}]
    assert any(ADA in text for text in kept)
    assert not any(secret in text for text in kept)


def test_a_request_delivered_twice_sends_one_mail_with_one_token(
    host: MemoryHost, ada: Shopper
) -> None:
    first = recovery.begin_reset(host.ports, "pwr_1", ADA)
    assert first is not None
    assert recovery.begin_reset(host.ports, "pwr_1", ADA) == first
    recovery.begin_reset(host.ports, "pwr_2", ADA)
    again = recovery.begin_reset(host.ports, "pwr_1", ADA)
    assert again == first
    with pytest.raises(ResetTokenInvalid):
        recovery.confirm_reset(host.ports, first[1], NEW)


def test_an_account_gets_five_reset_mails_an_hour(host: MemoryHost, ada: Shopper) -> None:
    for _ in range(7):
        assert ask_for_reset(host).status == 202
    assert len(tokens_mailed(host)) == 5


def test_an_address_that_asks_for_many_resets_has_to_wait(host: MemoryHost) -> None:
    statuses = [ask_for_reset(host, f"u{number}@example.org").status for number in range(21)]
    assert statuses == [202] * 20 + [429]


@pytest.mark.parametrize("token", ["x", "usr_1.", "usr_1." + "0" * 64, "usr_é." + "0" * 64])
def test_a_made_up_reset_token_is_refused(host: MemoryHost, token: str) -> None:
    assert confirm(host, token) == 400


def test_who_leaves_is_out_at_once_and_the_address_is_free(host: MemoryHost, ada: Shopper) -> None:
    tokens, left = log_in(host, PASSWORD).json(), user_id(ada)
    product = {"name": "Mug", "category": "kitchen", "price": {"amount": 1, "currency": "EUR"}}
    staff = known(host.dispatcher, "usr_staff", "staff")
    made: Any = staff.send("POST", "/products", product).json()
    ada.fill_cart((made["product_id"], 1))
    assert ada.send("DELETE", "/users/me").status == 204
    assert ada.send("GET", "/users/me").status == 401
    assert refresh(host, tokens) == 401
    assert log_in(host, PASSWORD).status == 401
    row = users.find(host.ports, left)
    assert row is not None
    assert (row.email, row.name, row.password_hash) == ("", "", "")
    again = customer(host.dispatcher)
    assert user_id(again) != left
    assert carts.lines_of(host.ports, carts.cart_of_customer(left)) != ()
    host.settle()
    assert carts.lines_of(host.ports, carts.cart_of_customer(left)) == ()


def test_the_claim_of_somebody_who_left_in_a_crash_is_taken_over(
    host: MemoryHost, ada: Shopper
) -> None:
    left = user_id(ada)
    users.revise(host.ports, left, lambda user: user.anonymised())
    claim = users._claim(host.ports, ADA, "usr_new")
    assert claim == EmailClaim(user_id="usr_new")


def test_a_suspended_users_access_token_stops_working_at_once(
    host: MemoryHost, ada: Shopper, admin: Shopper
) -> None:
    tokens, path = log_in(host, PASSWORD).json(), f"/users/{user_id(ada)}"
    assert admin.send("PATCH", path, {"suspended": True}).status == 200
    assert ada.send("GET", "/users/me").status == 401
    assert refresh(host, tokens) == 401
    assert log_in(host, PASSWORD).status == 401
    ask_for_reset(host)
    assert tokens_mailed(host) == []
    assert admin.send("PATCH", path, {"suspended": False}).status == 200
    assert ada.send("GET", "/users/me").status == 401
    assert log_in(host, PASSWORD).status == 200


def test_a_new_role_counts_at_once(ada: Shopper, admin: Shopper) -> None:
    assert ada.send("GET", "/users").status == 403
    path = f"/users/{user_id(ada)}"
    promoted = admin.send("PATCH", path, {"role": "admin"})
    shown: Any = promoted.json()
    assert shown["role"] == "admin"
    assert ada.send("GET", "/users").status == 200
    demoted = admin.send("PATCH", path, {"role": "staff"}, headers={"If-Match": "*"})
    assert demoted.status == 200
    assert ada.send("GET", "/users").status == 403


def test_an_edit_of_a_stale_account_is_refused(ada: Shopper, admin: Shopper) -> None:
    path = f"/users/{user_id(ada)}"
    tag = admin.send("GET", path).headers["ETag"]
    assert (
        ada.send("PATCH", "/users/me", {"name": "Ada L."}, headers={"If-Match": tag}).status == 200
    )
    stale = admin.send("PATCH", path, {"role": "staff"}, headers={"If-Match": tag})
    assert stale.status == 412


def test_administrators_cannot_lock_themselves_out(host: MemoryHost) -> None:
    boss = users.create_user(host.ports, "boss@example.org", PASSWORD, "admin")
    shopper = known(host.dispatcher, boss.user_id, "admin")
    answer = shopper.send("PATCH", f"/users/{boss.user_id}", {"role": "customer"})
    problem: Any = answer.json()
    assert (answer.status, problem["code"]) == (409, "own_account")


def test_users_are_listed_with_filters_page_by_page(host: MemoryHost, admin: Shopper) -> None:
    for name in ("a", "b", "c"):
        users.register(host.ports, f"{name}@example.org", PASSWORD, name)
        host.clock.advance(1)
    users.create_user(host.ports, "s@example.org", PASSWORD, "staff")
    first = admin.get("/users?limit=2&role=customer")
    rest = admin.get(f"/users?limit=2&role=customer&cursor={first['next']}")
    names = [user["name"] for user in first["items"] + rest["items"]]
    assert names == ["a", "b", "c"]
    assert [u["email"] for u in admin.get("/users?role=staff")["items"]] == ["s@example.org"]
    assert [u["name"] for u in admin.get("/users?email=B@example.org")["items"]] == ["b"]
    assert admin.get("/users?email=b@example.org&suspended=true")["items"] == []
    assert admin.send("GET", "/users?cursor=nonsense").status == 400
    assert admin.send("GET", f"/users?email=b@example.org&cursor={first['next']}").status == 400
    assert admin.send("GET", "/users/usr_nobody").status == 404
