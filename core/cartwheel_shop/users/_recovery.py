"""Use cases of one's own account: change or reset the password, leave."""

from __future__ import annotations

import hashlib
import hmac
import re

from cartwheel.ports import Message, Ports, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop._base import Record, digest, now_text, read
from cartwheel_shop.users import _passwords
from cartwheel_shop.users.model import (
    ACCOUNT_FAILURES,
    ADDRESS_FAILURES,
    RESET_SECONDS,
    RESETS_AN_HOUR,
    EmailClaim,
    Reset,
    ResetTokenInvalid,
    User,
    WrongPassword,
    normalized,
)
from cartwheel_shop.users.service import (
    CLAIM,
    COLLECTION,
    USER,
    Tokens,
    account_key,
    by_email,
    claim_key,
    count,
    find,
    forget,
    get,
    open_session,
    revise,
)

RESET = "reset"
RESETS = "password-resets"
"""The queue of requests: what is done for a known address takes no time of the answer."""
SIGNING_KEY = "reset_signing_key"
_TOKEN = re.compile(r"(usr_[A-Za-z0-9]{1,60})\.([0-9a-f]{64})")


class _Begun(Record):
    allowed: bool


def change_password(ports: Ports, user_id: str, current: str, new: str) -> Tokens:
    """Change a password, end all sessions, and begin a new one.

    Raises WrongPassword, and TooManyRequests: guesses count as failed log-ins.
    """
    user = get(ports, user_id)
    account = account_key(user.email)
    count(ports, account, ACCOUNT_FAILURES)
    if not _passwords.matches(user.password_hash, current):
        raise WrongPassword("the current password is wrong")
    forget(ports, account)
    fresh = _passwords.hash_password(new)

    def edit(found: User) -> User:
        if found.password_hash != user.password_hash:
            raise WrongPassword("the password has just been changed")
        return found.model_copy(update={"password_hash": fresh}).without_sessions()

    return open_session(ports, revise(ports, user_id, edit))


def request_reset(ports: Ports, email: str, client: str) -> None:
    """Ask for a reset mail; nothing shows whether the address is known.

    Raises TooManyRequests when one network address asks too often.
    """
    count(ports, f"reset:{digest(client, size=64)}", ADDRESS_FAILURES)
    message = Message(ports.ids.new("pwr"), {"email": normalized(email)})
    ports.queue.send(RESETS, message)


def begin_reset(ports: Ports, request_id: str, email: str) -> tuple[User, str] | None:
    """Make the token for a request: the user and the token, None when nobody gets a mail.

    The same request again gives the same token, which follows from our key and is kept hashed.
    """
    user = by_email(ports, email)
    if user is None or not user.active:
        return None
    key = ports.secrets.get(SIGNING_KEY).reveal().encode()
    text = f"{request_id}:{user.user_id}".encode()
    secret = hmac.new(key, text, hashlib.sha256).hexdigest()
    now = ports.clock.now()

    def work(unit: Unit) -> _Begun:
        reset = unit.get(RESET, Reset) or Reset()
        recent = reset.recent(now)
        if len(recent) >= RESETS_AN_HOUR:
            return _Begun(allowed=False)
        after = Reset(
            digest=digest(secret, size=64),
            expires_at=rfc3339(now + RESET_SECONDS),
            asked=(*recent, int(now)),
        )
        unit.put(RESET, after)
        return _Begun(allowed=True)

    begun = transact(ports, COLLECTION, user.user_id, work, key=request_id, result=_Begun)
    return (user, f"{user.user_id}.{secret}") if begun.allowed else None


def confirm_reset(ports: Ports, token: str, new: str) -> None:
    """Set a new password with a token, once, and end all sessions; raises ResetTokenInvalid."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise _invalid()
    user_id, given = match[1], digest(match[2], size=64)
    # Before the hash is made: a wrong token costs nothing.
    _demand(ports, read(ports, COLLECTION, user_id, RESET, Reset), find(ports, user_id), given)
    fresh = _passwords.hash_password(new)

    def work(unit: Unit) -> User:
        reset = unit.get(RESET, Reset)
        reset, user = _demand(ports, reset, unit.get(USER, User), given)
        changed = {
            "password_hash": fresh,
            "revision": user.revision + 1,
            "updated_at": now_text(ports),
        }
        after = user.without_sessions().model_copy(update=changed)
        unit.put(USER, after)
        unit.put(RESET, reset.model_copy(update={"digest": "", "expires_at": ""}))
        return after

    user = transact(ports, COLLECTION, user_id, work)
    forget(ports, account_key(user.email))


def _demand(ports: Ports, reset: Reset | None, user: User | None, given: str) -> tuple[Reset, User]:
    if reset is None or user is None or not user.active or reset.expires_at <= now_text(ports):
        raise _invalid()
    if not hmac.compare_digest(reset.digest.encode(), given.encode()):
        raise _invalid()
    return reset, user


def _invalid() -> ResetTokenInvalid:
    return ResetTokenInvalid("the reset token is wrong, too old or was used; ask for a new one")


def leave(ports: Ports, user_id: str) -> None:
    """Delete a user: what is personal goes, sessions end, the address is free again.

    Their orders stay, for the books. Raises NotFound.
    """
    user = get(ports, user_id)

    def work(unit: Unit) -> None:
        current = unit.get(USER, User)
        if current is None or current.deleted:
            return
        changed = {"revision": current.revision + 1, "updated_at": now_text(ports)}
        unit.put(USER, current.anonymised().model_copy(update=changed))
        if unit.get(RESET, Reset) is not None:
            unit.delete(RESET)
        unit.emit("user.deleted", {"user_id": user_id})

    def free(unit: Unit) -> None:
        claim = unit.get(CLAIM, EmailClaim)
        if claim is not None and claim.user_id == user_id:
            unit.delete(CLAIM)

    transact(ports, COLLECTION, user_id, work)
    # A crash here leaves a claim of somebody who left: whoever registers next takes it over.
    transact(ports, COLLECTION, claim_key(user.email), free)
