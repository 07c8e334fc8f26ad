"""A shop in which somebody has an account, what they do with it, and who may be in after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cartwheel.host import HostOptions
from cartwheel.http import Response
from cartwheel.log import discard
from cartwheel.ports import Hook, Ports
from cartwheel_memory import MemoryHost
from cartwheel_shop.carts import service as carts
from cartwheel_shop.users import _passwords
from cartwheel_shop.users import service as users
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import PASSWORD, Shopper, account, known, product

ADA, USER = "ada@example.org", "usr_ada"
NEW, NEWER = "another good horse", "a third good horse"
ROLE = f"/users/{USER}"
MUG = "/products/prd_mug"
HASH = _passwords.hash_password(PASSWORD)
"""One hash for all shops: it is the dear part of an account."""


@dataclass
class World:
    """Is a shop in which Ada has an account and a session, and what the two actors were told."""

    host: MemoryHost
    tokens: users.Tokens
    cart_token: str = ""
    answers: list[Response] = field(default_factory=list)
    handed_out: list[Any] = field(default_factory=list)
    """Tokens that somebody was given by the two actors, and `from` which route."""

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        caller: Shopper | None = None,
        match: str | None = None,
    ) -> Response:
        """Send a request of an actor's and keep the answer."""
        shopper = caller or Shopper(self.host.dispatcher)
        headers = {} if match is None else {"if-match": match}
        answer = shopper.send(method, path, body, headers=headers)
        assert answer.status < 500, answer.body
        self.answers.append(answer)
        found: Any = answer.json() if answer.body else {}
        if "refresh_token" in found:
            self.handed_out.append({**found, "from": path})
        return answer

    @property
    def ada(self) -> Shopper:
        """Give Ada, with the access token of her first session."""
        return Shopper(self.host.dispatcher, self.tokens.access_token)

    @property
    def boss(self) -> Shopper:
        """Give an administrator."""
        return known(self.host.dispatcher, "usr_boss", "admin")

    def statuses(self) -> list[int]:
        """Give what the actors were told."""
        return sorted(answer.status for answer in self.answers)

    def register(self, password: str) -> None:
        self.send("POST", "/users/register", {"email": ADA, "password": password, "name": "Ada"})

    def log_in(self, password: str = PASSWORD) -> int:
        body = {"email": ADA, "password": password}
        return self.send("POST", "/users/login", body).status

    def refresh(self) -> None:
        self.send("POST", "/users/refresh", {"refresh_token": self.tokens.refresh_token})

    def log_out(self) -> None:
        self.send("POST", "/users/logout", {"refresh_token": self.tokens.refresh_token})

    def change_password(self) -> None:
        body = {"current_password": PASSWORD, "new_password": NEW}
        self.send("POST", "/users/me/password", body, caller=self.ada)

    def confirm_reset(self, password: str) -> None:
        (mail,) = self.host.mailbox.mails()
        (token,) = re.findall(r"usr_\w+\.[0-9a-f]{64}", mail.text)
        body = {"token": token, "new_password": password}
        self.send("POST", "/users/password-reset/confirm", body)

    def leave(self) -> None:
        self.send("DELETE", "/users/me", caller=self.ada)

    def suspend(self) -> None:
        self.send("PATCH", f"/users/{USER}", {"suspended": True}, caller=self.boss)

    def edit(self, path: str, body: object) -> None:
        self.send("PATCH", path, body, caller=self.boss, match='"1"')

    def put_into_cart(self, quantity: int) -> None:
        body = {"product_id": "prd_mug", "quantity": quantity}
        self.send("POST", "/cart/items", body, caller=self.ada)

    def guest(self) -> Shopper:
        """Give the guest whose cart Ada takes over."""
        shopper = Shopper(self.host.dispatcher)
        shopper.headers["X-Cart-Token"] = self.cart_token
        return shopper

    def merge(self) -> None:
        self.send("POST", "/cart/merge", {"cart_token": self.cart_token}, caller=self.ada)

    def goes_on(self, tokens: Any) -> bool:
        """Tell whether a session can be refreshed."""
        body = {"refresh_token": tokens["refresh_token"]}
        return Shopper(self.host.dispatcher).send("POST", "/users/refresh", body).status == 200

    def works(self, tokens: Any) -> bool:
        """Tell whether somebody can still do anything with tokens."""
        shopper = Shopper(self.host.dispatcher, tokens["access_token"])
        return shopper.send("GET", "/users/me").status == 200 or self.goes_on(tokens)

    def opens(self, password: str) -> bool:
        """Tell whether a password lets Ada in."""
        body = {"email": ADA, "password": password}
        return Shopper(self.host.dispatcher).send("POST", "/users/login", body).status == 200


Action = Callable[[World], object]
Check = Callable[[World], None]
Around = Callable[[Ports], Ports]


def as_it_is(world: World) -> None:
    return


def nobody(world: World) -> None:
    """Take Ada's account away: there is none yet."""
    world.leave()
    world.answers.clear()


def reset_asked_for(world: World) -> None:
    Shopper(world.host.dispatcher).send("POST", "/users/password-reset", {"email": ADA})
    world.host.settle()


def guest_with_two_mugs(world: World) -> None:
    cart_id, world.cart_token = carts.new_guest_cart(world.host.ports)
    carts.add(world.host.ports, cart_id, "prd_mug", 2)


def all_tokens(world: World) -> list[Any]:
    return [*world.handed_out, vars_of(world.tokens)]


def no_session(world: World) -> None:
    """Hold every session to be over."""
    assert not any(world.works(tokens) for tokens in all_tokens(world))


def no_refresh(world: World) -> None:
    """Hold a refresh token to be good once, and its session to end with its access token."""
    assert world.statuses().count(200) <= 1
    assert not any(world.goes_on(tokens) for tokens in all_tokens(world))


def in_carts(world: World) -> tuple[int, int]:
    def mugs(cart_id: str) -> int:
        return sum(line.quantity for line in carts.lines_of(world.host.ports, cart_id))

    ports = world.host.ports
    guest = carts.guest_cart(ports, world.cart_token) if world.cart_token else ""
    return mugs(carts.cart_of_customer(USER)), mugs(guest)


def deleted(world: World) -> None:
    assert Shopper(world.host.dispatcher).send("GET", "/products/prd_mug").status == 404


def vars_of(tokens: users.Tokens) -> dict[str, str]:
    return {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}


def opened(hook: Hook, ports: Around | None) -> World:
    """Open a shop with Ada's account, one session of hers, and mugs."""
    host = MemoryHost(shop_app(), HostOptions(log=discard, hook=hook, replace=ports))
    product(host.ports, "prd_mug")
    user = account(host.ports, USER, email=ADA, password_hash=HASH)
    return World(host, users.open_session(host.ports, user))
