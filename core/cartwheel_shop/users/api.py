"""The users service: accounts over HTTP, for their owners and for administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from cartwheel.access import Uses
from cartwheel.app import Service
from cartwheel.context import Context
from cartwheel.http import (
    ANYONE,
    AUTHENTICATED,
    BadRequest,
    Body,
    NotFound,
    PreconditionFailed,
    Query,
    Reply,
    TooManyRequests,
    Unauthenticated,
    View,
    etag,
    only,
    require_match,
)
from cartwheel.ports import Index, Message
from cartwheel_shop._base import Record
from cartwheel_shop.notifications import service as notifications
from cartwheel_shop.users import _recovery as recovery
from cartwheel_shop.users import service as users
from cartwheel_shop.users.model import (
    Email,
    EmailTaken,
    OwnAccount,
    Password,
    PersonName,
    ResetTokenInvalid,
    Role,
    User,
    WrongPassword,
)
from cartwheel_shop.users.service import authenticate

__all__ = ["AUTHENTICATE_USES", "authenticate", "service"]

AUTHENTICATE_USES = Uses(reads=(users.COLLECTION,), secrets=(users.TOKEN_KEY,))
"""What telling who asks touches, in the function of whichever service is asked."""

ADMIN = only("admin")

service = Service(
    "users",
    Uses(
        writes=("notifications",),
        sends=("password-resets",),
        secrets=("reset_signing_key",),
        ports=("events", "mailer"),
    ),
)
USERS = service.collection(users.COLLECTION, Index(users.ALL, "kind", sort="created_at"))
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


class PasswordChange(Body):
    """Is a new password, and the current one as a proof."""

    current_password: Annotated[str, Field(min_length=1, max_length=128)]
    new_password: Password


class ResetRequest(Body):
    """Names the address to which a reset mail goes, when somebody has it."""

    email: Annotated[str, Field(min_length=1, max_length=254)]


class ResetConfirmation(Body):
    """Is the token of a reset mail and the new password."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: Password


class UserChange(Body):
    """Is what administrators change of a user; what is left out stays."""

    role: Role | None = None
    suspended: bool | None = None


class UserFilter(Query):
    """Says which users to list."""

    role: Role | None = None
    suspended: bool | None = None
    email: Annotated[str, Field(min_length=1, max_length=254)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(min_length=1, max_length=2000)] | None = None


class RequestedReset(Record):
    """Is a request for a reset mail as it waits in the queue."""

    email: str


class UserView(View):
    """Is a user as they see themselves."""

    user_id: str
    email: str
    name: str
    role: str


class AccountView(View):
    """Is a user as administrators see them."""

    user_id: str
    email: str
    name: str
    role: str
    suspended: bool
    created_at: str
    updated_at: str


class AccountList(View):
    """Is a page of users, oldest first."""

    items: list[AccountView]
    next: str | None


class Accepted(View):
    """Says that a request was taken, and nothing about what comes of it."""

    status: str = "accepted"


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
def me(ctx: Context) -> Reply[UserView]:
    """Show one's own profile."""
    return _tagged(users.get(ctx.ports, ctx.caller.subject))


@service.route(
    "PATCH", "/users/me", permission=AUTHENTICATED, errors=[NotFound, PreconditionFailed]
)
def change_me(ctx: Context, body: ProfileChange) -> Reply[UserView]:
    """Change one's own name; with If-Match only if the profile is still the one that was read."""
    return _tagged(users.rename(ctx.ports, ctx.caller.subject, body.name, _precondition(ctx)))


@service.route("DELETE", "/users/me", permission=AUTHENTICATED, status=204, errors=[NotFound])
def leave(ctx: Context) -> None:
    """Delete one's own account: what is personal goes, sessions end, orders stay for the books."""
    recovery.leave(ctx.ports, ctx.caller.subject)


@service.route(
    "POST",
    "/users/me/password",
    permission=AUTHENTICATED,
    errors=[NotFound, WrongPassword, TooManyRequests],
)
def change_password(ctx: Context, body: PasswordChange) -> TokensView:
    """Change one's own password: all sessions end, and the answer begins a new one."""
    tokens = recovery.change_password(
        ctx.ports, ctx.caller.subject, body.current_password, body.new_password
    )
    return _tokens(tokens)


@service.route(
    "POST", "/users/password-reset", permission=ANYONE, status=202, errors=[TooManyRequests]
)
def request_reset(ctx: Context, body: ResetRequest) -> Accepted:
    """Ask for a mail with a reset token; the answer is the same for unknown addresses."""
    client = "" if ctx.request is None else ctx.request.client
    recovery.request_reset(ctx.ports, body.email, client)
    return Accepted()


@service.route(
    "POST",
    "/users/password-reset/confirm",
    permission=ANYONE,
    status=204,
    errors=[ResetTokenInvalid],
)
def confirm_reset(ctx: Context, body: ResetConfirmation) -> None:
    """Set a new password with the token of a reset mail, once; all sessions end."""
    recovery.confirm_reset(ctx.ports, body.token, body.new_password)


@service.consume(recovery.RESETS)
def send_reset(ctx: Context, message: Message) -> None:
    """Write a reset mail when the address is somebody's."""
    email = RequestedReset.model_validate(message.body).email
    begun = recovery.begin_reset(ctx.ports, message.id, email)
    if begun is not None:
        user, token = begun
        notifications.notify(
            ctx.ports, message.id, "password_reset", user.email, by=ctx.key, token=token
        )


@service.route("GET", "/users", permission=ADMIN, errors=[BadRequest])
def list_users(ctx: Context, query: UserFilter) -> AccountList:
    """List users, oldest first."""
    try:
        found, cursor = users.listing(
            ctx.ports,
            role=query.role,
            suspended=query.suspended,
            email=query.email,
            limit=query.limit,
            cursor=query.cursor,
        )
    except ValueError as error:
        raise BadRequest("the cursor is not one of this listing") from error
    return AccountList(items=[_account(user) for user in found], next=cursor)


@service.route("GET", "/users/{user_id}", permission=ADMIN, errors=[NotFound])
def get_user(ctx: Context, user_id: str) -> Reply[AccountView]:
    """Show a user to an administrator."""
    return _tagged_account(users.get(ctx.ports, user_id))


@service.route(
    "PATCH",
    "/users/{user_id}",
    permission=ADMIN,
    errors=[NotFound, OwnAccount, PreconditionFailed],
)
def change_user(ctx: Context, user_id: str, body: UserChange) -> Reply[AccountView]:
    """Change a user's role, suspend them or let them in again; it counts at once."""
    user = users.administer(
        ctx.ports,
        ctx.caller.subject,
        user_id,
        role=body.role,
        suspended=body.suspended,
        accepts=_precondition(ctx),
    )
    return _tagged_account(user)


def _precondition(ctx: Context) -> Callable[[int], None]:
    request = ctx.request
    if request is None or request.header("if-match") is None:
        return users.any_revision
    return lambda revision: require_match(request, revision)


def _tagged(user: User) -> Reply[UserView]:
    return Reply(_view(user), headers={"ETag": etag(user.revision)})


def _tagged_account(user: User) -> Reply[AccountView]:
    account = _account(user)
    return Reply(account, headers={"ETag": etag(user.revision)})


def _account(user: User) -> AccountView:
    return AccountView(
        user_id=user.user_id,
        email=user.email,
        name=user.name,
        role=user.role,
        suspended=user.suspended,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


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
