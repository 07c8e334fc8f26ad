"""Use cases of users: register, log in, refresh, log out, profile."""

from __future__ import annotations

from dataclasses import dataclass

from cartwheel.http import NotFound, TooManyRequests, Unauthenticated
from cartwheel.ports import ConfigurationError, Ports, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import digest, now_text, read
from cartwheel_shop.users import _passwords, _tokens
from cartwheel_shop.users.model import (
    ACCESS_SECONDS,
    ACCOUNT_FAILURES,
    ADDRESS_FAILURES,
    SESSION_SECONDS,
    EmailClaim,
    EmailTaken,
    Failures,
    Family,
    Role,
    User,
    normalized,
)

COLLECTION = "users"
SESSIONS = "sessions"
THROTTLE = "login_failures"
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
    partition = f"email:{digest(address, size=64)}"

    def work(unit: Unit) -> EmailClaim:
        existing = unit.get(CLAIM, EmailClaim)
        if existing is not None:
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
    if "@" not in email.strip("@ ") or any(character.isspace() for character in email.strip()):
        raise ConfigurationError(f"'{email}' is no e-mail address")
    return register(ports, email, password, normalized(email).partition("@")[0], known)


def find(ports: Ports, user_id: str) -> User | None:
    """Give a user, or None."""
    return read(ports, COLLECTION, user_id, USER, User)


def get(ports: Ports, user_id: str) -> User:
    """Give a user; raises NotFound."""
    user = find(ports, user_id)
    if user is None:
        raise NotFound("there is no such user")
    return user


def rename(ports: Ports, user_id: str, name: str) -> User:
    """Change a user's name; raises NotFound."""

    def work(unit: Unit) -> User:
        user = unit.get(USER, User)
        if user is None:
            raise NotFound("there is no such user")
        after = user.model_copy(update={"name": name, "updated_at": now_text(ports)})
        unit.put(USER, after)
        return after

    return transact(ports, COLLECTION, user_id, work)


def log_in(ports: Ports, email: str, password: str, client: str) -> Tokens:
    """Begin a session; raises Unauthenticated, and TooManyRequests after too many failures.

    A try is counted before the password is looked at, so that tries at once can't outrun the limit,
    and forgotten when it was right.
    """
    address = normalized(email)
    account = f"account:{digest(address, size=64)}"
    origin = f"address:{digest(client, size=64)}"
    _refuse_throttled(ports, origin, ADDRESS_FAILURES)
    _count(ports, account, ACCOUNT_FAILURES)
    user = _by_email(ports, address)
    right = _passwords.matches(None if user is None else user.password_hash, password)
    if user is None or not right or user.suspended:
        _count(ports, origin, None)
        raise Unauthenticated("the e-mail address or the password is wrong")
    _forget(ports, account)
    if _passwords.outdated(user.password_hash):
        _rehash(ports, user, password)
    return _open_session(ports, user)


def _by_email(ports: Ports, address: str) -> User | None:
    partition = f"email:{digest(address, size=64)}"
    claim = read(ports, COLLECTION, partition, CLAIM, EmailClaim)
    return None if claim is None else find(ports, claim.user_id)


def _refuse_throttled(ports: Ports, partition: str, limit: int) -> None:
    failures = read(ports, THROTTLE, partition, FAILURES, Failures) or Failures()
    _refuse(failures, limit, ports.clock.now())


def _refuse(failures: Failures, limit: int, now: float) -> None:
    wait = failures.retry_after(limit, now)
    if wait is not None:
        raise TooManyRequests("too many failed log-ins; try again later", retry_after=wait)


def _count(ports: Ports, partition: str, limit: int | None) -> None:
    def work(unit: Unit) -> None:
        failures = unit.get(FAILURES, Failures) or Failures()
        now = ports.clock.now()
        if limit is not None:
            _refuse(failures, limit, now)
        unit.put(FAILURES, failures.plus(now))

    transact(ports, THROTTLE, partition, work)


def _forget(ports: Ports, partition: str) -> None:
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


def _open_session(ports: Ports, user: User) -> Tokens:
    family_id, secret = ports.ids.new("ses"), ports.ids.token()
    family = Family(
        user_id=user.user_id,
        current=digest(secret, size=64),
        expires_at=rfc3339(ports.clock.now() + SESSION_SECONDS),
    )

    def work(unit: Unit) -> None:
        if unit.get(FAMILY, Family) is None:
            unit.put(FAMILY, family)

    transact(ports, SESSIONS, family_id, work, key="open")
    return _tokens_for(ports, user, family_id, secret)


def _tokens_for(ports: Ports, user: User, family_id: str, secret: str) -> Tokens:
    access = _tokens.issue(ports, user.user_id, user.role)
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
    if family.ended or user is None or user.suspended:
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


def _refused() -> Unauthenticated:
    return Unauthenticated("the refresh token is invalid, expired or was used before; log in again")
