"""Use cases of users: register, log in, refresh, log out, profile, and what admins may do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cartwheel.context import Context, Principal
from cartwheel.http import NotFound, TooManyRequests, Unauthenticated
from cartwheel.ports import ConfigurationError, Page, Ports, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import digest, gather, now_text, read
from cartwheel_shop.users import _passwords, _tokens
from cartwheel_shop.users.model import (
    ACCESS_SECONDS,
    ACCOUNT_FAILURES,
    ADDRESS_FAILURES,
    EMAIL_PATTERN,
    SESSION_SECONDS,
    EmailClaim,
    EmailTaken,
    Failures,
    Family,
    OwnAccount,
    Role,
    User,
    normalized,
)

TOKEN_KEY = _tokens.SIGNING_KEY
"""The secret that signs access tokens."""
COLLECTION = "users"
SESSIONS = "sessions"
THROTTLE = "login_failures"
ALL = "all"
USER, CLAIM, FAMILY, FAILURES = "user", "claim", "family", "failures"
ROLES: tuple[Role, ...] = ("customer", "staff", "admin")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Is what a log-in gives; `expires_in` is in seconds."""

    user_id: str
    access_token: str
    refresh_token: str
    expires_in: int = ACCESS_SECONDS


def register(ports: Ports, email: str, password: str, name: str, role: Role = "customer") -> User:
    """Create a user; raises EmailTaken.

    The address is claimed first, under an id of the user's own; a claim whose user was never
    written, because of a crash, is taken over by whoever registers next.
    """
    address = normalized(email)
    claimed = _claim(ports, address, ports.ids.new("usr"))
    at = now_text(ports)
    user = User(
        user_id=claimed.user_id,
        email=address,
        name=name,
        role=role,
        password_hash=_passwords.hash_password(password),
        created_at=at,
        updated_at=at,
    )

    def work(unit: Unit) -> None:
        if unit.get(USER, User) is not None:
            raise EmailTaken(f"{address} is registered; log in instead")
        unit.put(USER, user)

    # The key is this attempt's own: it only tells our own lost reply from somebody else's user.
    transact(ports, COLLECTION, user.user_id, work, key=f"register:{ports.ids.new('try')}")
    return user


def _claim(ports: Ports, address: str, user_id: str) -> EmailClaim:
    partition = claim_key(address)

    def work(unit: Unit) -> EmailClaim:
        existing = unit.get(CLAIM, EmailClaim)
        if existing is not None:
            owner = find(ports, existing.user_id)
            if owner is None or not owner.deleted:
                return existing
        claim = EmailClaim(user_id=user_id)
        unit.put(CLAIM, claim)
        return claim

    claim = transact(ports, COLLECTION, partition, work)
    if claim.user_id != user_id and find(ports, claim.user_id) is not None:
        raise EmailTaken(f"{address} is registered; log in instead")
    return claim


def create_user(ports: Ports, email: str, password: str, role: str) -> User:
    """Create a user with a role, for the command line.

    Raises EmailTaken, and ConfigurationError for an unknown role, address or password that the API
    would refuse too.
    """
    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise ConfigurationError(f"there is no role '{role}'; there are: {', '.join(ROLES)}")
    if not 10 <= len(password) <= 128:
        raise ConfigurationError(f"a password has 10 to 128 characters, not {len(password)}")
    address = normalized(email)
    if not 6 <= len(address) <= 254 or re.fullmatch(EMAIL_PATTERN, address) is None:
        raise ConfigurationError(f"'{email}' is no e-mail address")
    return register(ports, address, password, address.partition("@")[0], known)


def find(ports: Ports, user_id: str) -> User | None:
    """Give a user, or None."""
    return read(ports, COLLECTION, user_id, USER, User)


def get(ports: Ports, user_id: str) -> User:
    """Give a user; raises NotFound, also when they have left."""
    user = find(ports, user_id)
    if user is None or user.deleted:
        raise NotFound("there is no such user")
    return user


def any_revision(revision: int) -> None:
    """Accept a user at whatever revision they are."""


def revise(
    ports: Ports,
    user_id: str,
    edit: Callable[[User], User],
    accepts: Callable[[int], None] = any_revision,
) -> User:
    """Edit a user; `accepts` sees the revision and may refuse. Raises NotFound."""

    def work(unit: Unit) -> User:
        user = unit.get(USER, User)
        if user is None or user.deleted:
            raise NotFound("there is no such user")
        accepts(user.revision)
        after = edit(user)
        if after == user:
            return user
        changed = {"revision": user.revision + 1, "updated_at": now_text(ports)}
        after = after.model_copy(update=changed)
        unit.put(USER, after)
        return after

    return transact(ports, COLLECTION, user_id, work)


def rename(
    ports: Ports, user_id: str, name: str, accepts: Callable[[int], None] = any_revision
) -> User:
    """Change a user's name; raises NotFound."""
    return revise(ports, user_id, lambda user: user.model_copy(update={"name": name}), accepts)


def administer(
    ports: Ports,
    admin_id: str,
    user_id: str,
    *,
    role: Role | None,
    suspended: bool | None,
    accepts: Callable[[int], None] = any_revision,
) -> User:
    """Give a user another role, suspend them or let them in again; None leaves things as they are.

    Whoever is suspended loses all sessions, for good. Raises NotFound, and OwnAccount: so there
    is always an administrator left.
    """
    if admin_id == user_id:
        raise OwnAccount("another administrator has to change your role or suspend you")

    def edit(user: User) -> User:
        after = user.model_copy(
            update={
                "role": user.role if role is None else role,
                "suspended": user.suspended if suspended is None else suspended,
            }
        )
        return after.without_sessions() if after.suspended and not user.suspended else after

    return revise(ports, user_id, edit, accepts)


def listing(
    ports: Ports,
    *,
    role: Role | None = None,
    suspended: bool | None = None,
    email: str | None = None,
    limit: int,
    cursor: str | None,
) -> tuple[list[User], str | None]:
    """List users, oldest first, by what is not None; raises ValueError for a bad cursor."""

    def shows(user: User) -> bool:
        return (role is None or user.role == role) and (
            suspended is None or user.suspended == suspended
        )

    if email is not None:
        if cursor is not None:
            raise ValueError("one user needs no cursor")
        found = by_email(ports, normalized(email))
        return ([found] if found is not None and shows(found) else []), None

    def query(after: str | None, most: int) -> Page:
        return ports.store.query(COLLECTION, ALL, USER, cursor=after, limit=most)

    return gather(query, User, shows, limit=limit, cursor=cursor)


def log_in(ports: Ports, email: str, password: str, client: str) -> Tokens:
    """Begin a session; raises Unauthenticated, and TooManyRequests after too many failures.

    A try is counted before the password is looked at, so that tries at once can't outrun the limit,
    and forgotten when it was right.
    """
    address = normalized(email)
    account = account_key(address)
    origin = f"address:{digest(client, size=64)}"
    _refuse_throttled(ports, origin, ADDRESS_FAILURES)
    count(ports, account, ACCOUNT_FAILURES)
    user = by_email(ports, address)
    right = _passwords.matches(None if user is None else user.password_hash, password)
    if user is None or not right or not user.active:
        count(ports, origin, None)
        raise Unauthenticated("the e-mail address or the password is wrong")
    forget(ports, account)
    if _passwords.outdated(user.password_hash):
        _rehash(ports, user, password)
    return open_session(ports, user)


def account_key(address: str) -> str:
    """Give where an account's failed log-ins are counted."""
    return f"account:{digest(address, size=64)}"


def claim_key(address: str) -> str:
    """Give the partition that reserves an e-mail address."""
    return f"email:{digest(address, size=64)}"


def by_email(ports: Ports, address: str) -> User | None:
    """Give the user of a normalised e-mail address, or None."""
    claim = read(ports, COLLECTION, claim_key(address), CLAIM, EmailClaim)
    user = None if claim is None else find(ports, claim.user_id)
    return None if user is None or user.deleted else user


def _refuse_throttled(ports: Ports, partition: str, limit: int) -> None:
    failures = read(ports, THROTTLE, partition, FAILURES, Failures) or Failures()
    _refuse(failures, limit, ports.clock.now())


def _refuse(failures: Failures, limit: int, now: float) -> None:
    wait = failures.retry_after(limit, now)
    if wait is not None:
        raise TooManyRequests("too many failed log-ins; try again later", retry_after=wait)


def count(ports: Ports, partition: str, limit: int | None) -> None:
    """Count a failure; raises TooManyRequests beyond a limit."""

    def work(unit: Unit) -> None:
        failures = unit.get(FAILURES, Failures) or Failures()
        now = ports.clock.now()
        if limit is not None:
            _refuse(failures, limit, now)
        unit.put(FAILURES, failures.plus(now))

    transact(ports, THROTTLE, partition, work)


def forget(ports: Ports, partition: str) -> None:
    """Forget the failures that were counted."""

    def work(unit: Unit) -> None:
        if unit.get(FAILURES, Failures) is not None:
            unit.put(FAILURES, Failures())

    transact(ports, THROTTLE, partition, work)


def _rehash(ports: Ports, user: User, password: str) -> None:
    fresh = _passwords.hash_password(password)

    def work(unit: Unit) -> None:
        current = unit.get(USER, User)
        if current is not None and current.password_hash == user.password_hash:
            unit.put(USER, current.model_copy(update={"password_hash": fresh}))

    transact(ports, COLLECTION, user.user_id, work)


def open_session(ports: Ports, user: User) -> Tokens:
    """Begin a session for a user who has proved who they are."""
    family_id, secret = ports.ids.new("ses"), ports.ids.token()
    family = Family(
        user_id=user.user_id,
        current=digest(secret, size=64),
        expires_at=rfc3339(ports.clock.now() + SESSION_SECONDS),
        generation=user.generation,
    )

    def work(unit: Unit) -> None:
        if unit.get(FAMILY, Family) is None:
            unit.put(FAMILY, family)

    transact(ports, SESSIONS, family_id, work, key="open")
    return _tokens_for(ports, user, family_id, secret)


def _tokens_for(ports: Ports, user: User, family_id: str, secret: str) -> Tokens:
    access = _tokens.issue(ports, user.user_id, user.role, user.generation)
    return Tokens(user.user_id, access, f"{family_id}.{secret}")


def refresh(ports: Ports, refresh_token: str) -> Tokens:
    """Exchange a refresh token for new tokens; raises Unauthenticated.

    A token that was exchanged before has been stolen, now or then: it ends its whole family.
    """
    family_id, given = _read_refresh_token(refresh_token)
    secret = ports.ids.token()

    def work(unit: Unit) -> Family:
        family = unit.get(FAMILY, Family)
        if family is None or family.ended or family.expires_at <= now_text(ports):
            raise _refused()
        reused = family.current != given
        after = family.model_copy(
            update={"ended": True}
            if reused
            else {
                "current": digest(secret, size=64),
                "expires_at": rfc3339(ports.clock.now() + SESSION_SECONDS),
            }
        )
        unit.put(FAMILY, after)
        return after

    family = transact(ports, SESSIONS, family_id, work)
    user = find(ports, family.user_id)
    if family.ended or user is None or not user.active or family.generation != user.generation:
        raise _refused()
    return _tokens_for(ports, user, family_id, secret)


def log_out(ports: Ports, refresh_token: str) -> None:
    """End the family of a refresh token, also of an old one; an unknown token changes nothing."""
    try:
        family_id, _ = _read_refresh_token(refresh_token)
    except Unauthenticated:
        return

    def work(unit: Unit) -> None:
        family = unit.get(FAMILY, Family)
        if family is not None and not family.ended:
            unit.put(FAMILY, family.model_copy(update={"ended": True}))

    transact(ports, SESSIONS, family_id, work)


def _read_refresh_token(token: str) -> tuple[str, str]:
    family_id, dot, secret = token.partition(".")
    plain = family_id.isascii() and family_id.replace("_", "").isalnum()
    if not dot or not secret or not plain or not family_id.startswith("ses_"):
        raise _refused()
    return family_id, digest(secret, size=64)


def authenticate(ctx: Context, token: str) -> Principal:
    """Tell who asks by their access token; raises Unauthenticated without saying why.

    The user's row is read each time: whoever is suspended, deleted or has a new password is out at
    once, and a new role counts at once. Without a row the token speaks for itself: we signed it,
    and those who leave keep a row.
    """
    claims = _tokens.verified(ctx.ports, token)
    user = find(ctx.ports, claims.subject)
    if user is None:
        return Principal(claims.subject, frozenset({claims.role}))
    if not user.active or user.generation != claims.generation:
        raise _tokens.refused()
    return Principal(user.user_id, frozenset({user.role}))


def _refused() -> Unauthenticated:
    return Unauthenticated("the refresh token is invalid, expired or was used before; log in again")
