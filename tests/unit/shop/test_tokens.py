"""Access tokens: only our own, in their time, for this API."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from cartwheel.context import Context
from cartwheel.host import HostOptions
from cartwheel.http import Unauthenticated
from cartwheel.log import Log, discard
from cartwheel.ports import ConfigurationError
from cartwheel_memory import MemoryHost
from cartwheel_shop.users import _tokens
from cartwheel_shop.users.api import authenticate as authenticate_caller
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper

KEY = "a key of forty bytes or so, used in tests"
OTHER_KEY = "another key of forty bytes, known to Eve.."


@pytest.fixture
def host() -> MemoryHost:
    return MemoryHost(shop_app(), HostOptions(log=discard, secrets={_tokens.SIGNING_KEY: KEY}))


def authenticate(host: MemoryHost, token: str) -> str:
    context = Context(host.ports, Log(host.clock, discard))
    return authenticate_caller(context, token).subject


def claims(host: MemoryHost, **changes: object) -> dict[str, object]:
    now = int(host.clock.now())
    good: dict[str, object] = {
        "iss": _tokens.ISSUER,
        "aud": _tokens.AUDIENCE,
        "sub": "usr_1",
        "role": "customer",
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "jti": "jti_1",
    }
    changed = {**good, **changes}
    return {name: value for name, value in changed.items() if value is not ...}


def shifted(host: MemoryHost, seconds: int) -> dict[str, object]:
    good = claims(host)
    return {**good, **{name: int(str(good[name])) + seconds for name in ("iat", "nbf", "exp")}}


def signed(
    payload: dict[str, object],
    key: str | bytes = KEY,
    algorithm: str = "HS256",
    **header: object,
) -> str:
    headers = {"typ": _tokens.TYPE, **header}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def unsigned(payload: dict[str, object], alg: str) -> str:
    return f"{part({'alg': alg, 'typ': _tokens.TYPE})}.{part(payload)}."


def tampered(host: MemoryHost) -> str:
    header, _, signature = signed(claims(host)).split(".")
    return f"{header}.{part(claims(host, role='admin'))}.{signature}"


def of_length(host: MemoryHost, length: int) -> str:
    """Make a token of exactly so many characters, as good as any but for that."""
    for kid in ("k", "kk", "kkk"):
        for size in range(length // 2, length):
            token = signed(claims(host, sub="x" * size), kid=kid)
            if len(token) >= length:
                break
        if len(token) == length:
            return token
    raise AssertionError(f"no token has {length} characters")


FORGERIES: dict[str, Callable[[MemoryHost], str]] = {
    "alg none": lambda host: unsigned(claims(host), "none"),
    "alg None": lambda host: unsigned(claims(host), "None"),
    "alg NONE": lambda host: unsigned(claims(host), "NONE"),
    "no alg": lambda host: f"{part({'typ': _tokens.TYPE})}.{part(claims(host))}.x",
    "another algorithm": lambda host: signed(claims(host), algorithm="HS512", key=KEY * 2),
    "another key": lambda host: signed(claims(host), OTHER_KEY),
    "another key with a kid": lambda host: signed(claims(host), OTHER_KEY, kid="../../key"),
    "another key with its own jwk": lambda host: signed(
        claims(host), OTHER_KEY, jwk={"kty": "oct", "k": part(OTHER_KEY)}
    ),
    "another key with a jku": lambda host: signed(
        claims(host), OTHER_KEY, jku="https://example.org/keys"
    ),
    "another payload under a good signature": tampered,
    "no signature": lambda host: signed(claims(host)).rpartition(".")[0] + ".",
    "two parts": lambda host: signed(claims(host)).rpartition(".")[0],
    "four parts": lambda host: signed(claims(host)) + ".x",
    "another type": lambda host: signed(claims(host), typ="JWT"),
    "a type that sorts after ours": lambda host: signed(claims(host), typ="bt+jwt"),
    "no type": lambda host: signed(claims(host), typ=None),
    "no exp": lambda host: signed(claims(host, exp=...)),
    "no iat": lambda host: signed(claims(host, iat=...)),
    "no nbf": lambda host: signed(claims(host, nbf=...)),
    "no iss": lambda host: signed(claims(host, iss=...)),
    "no aud": lambda host: signed(claims(host, aud=...)),
    "no sub": lambda host: signed(claims(host, sub=...)),
    "no jti": lambda host: signed(claims(host, jti=...)),
    "no role": lambda host: signed(claims(host, role=...)),
    "expired this second": lambda host: signed(claims(host, exp=int(host.clock.now()))),
    "expired a while ago": lambda host: signed(shifted(host, -1000)),
    "not yet good": lambda host: signed(claims(host, nbf=int(host.clock.now()) + 1)),
    "made in the future": lambda host: signed(claims(host, iat=int(host.clock.now()) + 1)),
    "good for a year": lambda host: signed(claims(host, exp=int(host.clock.now()) + 31_536_000)),
    "good for twice as long as time is old": lambda host: signed(
        claims(host, exp=2 * int(host.clock.now()))
    ),
    "exp as text": lambda host: signed(claims(host, exp="4102444800")),
    "iat as text": lambda host: signed(claims(host, iat="0")),
    "nbf as text": lambda host: signed(claims(host, nbf="0")),
    "exp as a fraction": lambda host: signed(claims(host, exp=host.clock.now() + 0.5)),
    "exp true": lambda host: signed(claims(host, exp=True)),
    "another issuer": lambda host: signed(claims(host, iss="https://example.org")),
    "another audience": lambda host: signed(claims(host, aud="another-api")),
    "several audiences": lambda host: signed(claims(host, aud=[_tokens.AUDIENCE, "another-api"])),
    "an empty subject": lambda host: signed(claims(host, sub="")),
    "an unknown role": lambda host: signed(claims(host, role="root")),
    "a list of roles": lambda host: signed(claims(host, role=["admin"])),
    "an empty token": lambda host: "",
    "dots": lambda host: "..",
    "no JSON": lambda host: f"{part('x')}.{part('y')}.{part('z')}",
    "a list for claims": lambda host: f"{part({'alg': 'HS256'})}.{part([1])}.{part('z')}",
    "a very long token": lambda host: signed(claims(host, sub="x" * 5000)),
    "a token a little too long": lambda host: of_length(host, 4097),
}


def test_our_own_token_says_who_asks(host: MemoryHost) -> None:
    assert authenticate(host, _tokens.issue(host.ports, "usr_1", "customer")) == "usr_1"
    assert authenticate(host, signed(claims(host))) == "usr_1"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_nobody(host: MemoryHost, name: str) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(host, FORGERIES[name](host))


def test_a_token_of_the_longest_length_is_read(host: MemoryHost) -> None:
    assert set(authenticate(host, of_length(host, _tokens.MAX_TOKEN))) == {"x"}
    assert _tokens.MAX_TOKEN == 4096


def test_a_token_may_be_good_for_less_than_ours_are(host: MemoryHost) -> None:
    assert authenticate(host, signed(claims(host, exp=int(host.clock.now()) + 60))) == "usr_1"


def test_times_are_those_of_the_clock_port_not_of_the_machine(host: MemoryHost) -> None:
    host.clock.advance(50 * 365 * 86_400)
    assert authenticate(host, _tokens.issue(host.ports, "usr_1", "customer")) == "usr_1"


def test_a_token_without_a_generation_is_of_the_first_one(host: MemoryHost) -> None:
    ours = _tokens.issue(host.ports, "usr_1", "customer")
    for token in (ours, signed(claims(host))):
        assert _tokens.verified(host.ports, token).generation == 0
    later = _tokens.issue(host.ports, "usr_1", "customer", 7)
    assert _tokens.verified(host.ports, later).generation == 7


def test_there_are_at_least_25_forgeries() -> None:
    assert len(FORGERIES) >= 25


def test_a_forged_token_is_a_401_over_http_also_where_anyone_may_ask(host: MemoryHost) -> None:
    eve = Shopper(host.dispatcher, signed(claims(host), OTHER_KEY))
    for path in ("/users/me", "/products"):
        response = eve.send("GET", path)
        problem: Any = response.json()
        assert (response.status, problem["code"]) == (401, "unauthenticated")


def test_a_token_ends_after_a_quarter_of_an_hour(host: MemoryHost) -> None:
    token = _tokens.issue(host.ports, "usr_1", "customer")
    host.clock.advance(899)
    assert authenticate(host, token) == "usr_1"
    host.clock.advance(1)
    with pytest.raises(Unauthenticated):
        authenticate(host, token)


def test_a_short_signing_key_is_refused_with_a_remedy() -> None:
    def issue(key: str) -> str:
        options = HostOptions(log=discard, secrets={_tokens.SIGNING_KEY: key})
        return _tokens.issue(MemoryHost(shop_app(), options).ports, "usr_1", "customer")

    for length in (1, 31):
        with pytest.raises(ConfigurationError, match="needs 32 or more"):
            issue("k" * length)
    assert issue("k" * 32)
