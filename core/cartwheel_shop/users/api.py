"""The users service: registration, sessions and profile over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import (
    ANYONE,
    AUTHENTICATED,
    Body,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    View,
)
from cartwheel_shop.users import service as users
from cartwheel_shop.users._tokens import authenticate
from cartwheel_shop.users.model import Email, EmailTaken, Password, PersonName, User

__all__ = ["authenticate", "service"]

service = Service("users")
USERS = service.collection(users.COLLECTION)
SESSIONS = service.collection(users.SESSIONS)
THROTTLE = service.collection(users.THROTTLE)


class Registration(Body):
    """Is what a new customer gives."""

    email: Email
    password: Password
    name: PersonName


class Credentials(Body):
    """Is what a log-in needs; its bounds only keep nonsense away from the hash."""

    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: Annotated[str, Field(min_length=1, max_length=128)]


class RefreshToken(Body):
    """Carries a refresh token."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=500)]


class ProfileChange(Body):
    """Is what customers may change of themselves."""

    name: PersonName


class UserView(View):
    """Is a user as they see themselves."""

    user_id: str
    email: str
    name: str
    role: str


class TokensView(View):
    """Is what a log-in gives; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    user_id: str


@service.route("POST", "/users/register", permission=ANYONE, status=201, errors=[EmailTaken])
def register(ctx: Context, body: Registration) -> UserView:
    """Register as a customer."""
    return _view(users.register(ctx.ports, body.email, body.password, body.name))


@service.route("POST", "/users/login", permission=ANYONE, errors=[Unauthenticated, TooManyRequests])
def login(ctx: Context, body: Credentials) -> TokensView:
    """Log in with e-mail address and password."""
    client = "" if ctx.request is None else ctx.request.client
    return _tokens(users.log_in(ctx.ports, body.email, body.password, client))


@service.route("POST", "/users/refresh", permission=ANYONE, errors=[Unauthenticated])
def refresh(ctx: Context, body: RefreshToken) -> TokensView:
    """Exchange a refresh token for new tokens; the old one is used up."""
    return _tokens(users.refresh(ctx.ports, body.refresh_token))


@service.route("POST", "/users/logout", permission=ANYONE, status=204)
def logout(ctx: Context, body: RefreshToken) -> None:
    """End a session."""
    users.log_out(ctx.ports, body.refresh_token)


@service.route("GET", "/users/me", permission=AUTHENTICATED, errors=[NotFound])
def me(ctx: Context) -> UserView:
    """Show one's own profile."""
    return _view(users.get(ctx.ports, ctx.caller.subject))


@service.route("PATCH", "/users/me", permission=AUTHENTICATED, errors=[NotFound])
def change_me(ctx: Context, body: ProfileChange) -> UserView:
    """Change one's own name."""
    return _view(users.rename(ctx.ports, ctx.caller.subject, body.name))


def _view(user: User) -> UserView:
    return UserView(user_id=user.user_id, email=user.email, name=user.name, role=user.role)


def _tokens(tokens: users.Tokens) -> TokensView:
    return TokensView(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        token_type="Bearer",  # noqa: S106  # the scheme, RFC 6750
        expires_in=tokens.expires_in,
        user_id=tokens.user_id,
    )
