"""Access tokens: JWT with everything pinned - algorithm, type, issuer, audience, times, key."""

from __future__ import annotations

from dataclasses import dataclass

from cartwheel.http import Unauthenticated
from cartwheel.ports import ConfigurationError, Ports
from cartwheel_shop.users.model import ACCESS_SECONDS

SIGNING_KEY = "jwt_signing_key"
ISSUER, AUDIENCE = "cartwheel-shop", "cartwheel-shop-api"
ALGORITHM, TYPE = "HS256", "at+jwt"
MIN_KEY_BYTES = 32
MAX_TOKEN = 4096
_ROLES = frozenset({"customer", "staff", "admin"})
_REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]


def issue(ports: Ports, user_id: str, role: str, generation: int = 0) -> str:
    """Make an access token that is good for ACCESS_SECONDS."""
    import jwt

    now = int(ports.clock.now())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "role": role,
        "gen": generation,
        "iat": now,
        "nbf": now,
        "exp": now + ACCESS_SECONDS,
        "jti": ports.ids.new("jti"),
    }
    return jwt.encode(claims, _key(ports), algorithm=ALGORITHM, headers={"typ": TYPE})


def verified(ports: Ports, token: str) -> Claims:
    """Read an access token of ours; raises Unauthenticated without saying why.

    Times are checked against the injected clock, with no leeway. Headers other than `typ` and
    `alg` count for nothing: there is one key, whatever `kid` or `jku` says.
    """
    import jwt

    key = _key(ports)
    try:
        if len(token) > MAX_TOKEN:
            raise jwt.InvalidTokenError("too long")
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                # The library reads the machine's clock; ours is injected and checked below.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return _claims(decoded["header"], decoded["payload"], ports.clock.now())
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise refused() from error


def refused() -> Unauthenticated:
    """Make the one refusal that all bad access tokens get."""
    return Unauthenticated("the access token is missing, invalid or expired")


@dataclass(frozen=True, slots=True)
class Claims:
    """Is what a genuine access token says."""

    subject: str
    role: str
    generation: int


def _claims(header: dict[str, object], claims: dict[str, object], now: float) -> Claims:
    times = [claims["iat"], claims["nbf"], claims["exp"]]
    issued, begins, ends = (at if type(at) is int else None for at in times)
    if header.get("typ") != TYPE or issued is None or begins is None or ends is None:
        raise ValueError("not an access token")
    in_time = max(issued, begins) <= now < ends and ends - issued <= ACCESS_SECONDS
    subject, role, generation = claims["sub"], claims.get("role"), claims.get("gen", 0)
    if not in_time or not isinstance(subject, str) or not subject:
        raise ValueError("not in its time, or nobody's")
    if not isinstance(role, str) or role not in _ROLES or type(generation) is not int:
        raise ValueError("no role, or no generation")
    return Claims(subject, role, generation)


def _key(ports: Ports) -> bytes:
    key = ports.secrets.get(SIGNING_KEY).reveal().encode()
    if len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(
            f"secret '{SIGNING_KEY}' has {len(key)} bytes, it needs {MIN_KEY_BYTES} or more; "
            "make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return key
