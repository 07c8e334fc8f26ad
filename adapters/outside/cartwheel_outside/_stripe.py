"""Stripe as a payment gateway: payment intents that are confirmed at once and captured later.

A charge is a PaymentIntent whose metadata carry our reference. Stripe forgets an idempotency key
after a day, so a refund also carries its key in its metadata and is looked for before it is made;
captures and voids can't happen twice by their nature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from cartwheel.ports import (
    Charge,
    ChargeStatus,
    Clock,
    ConfigurationError,
    GatewayRefused,
    GatewayTimeout,
    Secrets,
    Unavailable,
)
from cartwheel_outside._outbound import ForbiddenUrl, NoAnswer, NotSent, Outbound

if TYPE_CHECKING:
    from stripe import ListObject, PaymentIntent, Refund, StripeClient, StripeError
    from stripe.params import PaymentIntentCreateParams, PaymentIntentListParams

T = TypeVar("T")

API_KEY = "stripe_api_key"
API_BASE = "https://api.stripe.com"
REFERENCE = "cartwheel_reference"
KEY = "cartwheel_key"
SEARCH_LAG = 2 * 60 * 60
"""Seconds that Stripe's search may be behind; what is younger is listed, which is never behind."""
MAX_PAGES = 50
"""Pages of 100 intents that are looked through before `find` says that it can't tell."""
BUSY_TRIES, BUSY_SECONDS = 8, 0.25
"""How often and how far apart a call is repeated while another one of its key is under way."""
_COUNTED = frozenset({"pending", "requires_action", "succeeded"})


class StripeGateway:
    """Is a PaymentGateway over Stripe's API; needs the extra `stripe`, the secret `stripe_api_key`.

    A payment token is a payment method's id (`pm_...`, `card_...`), or a card token (`tok_...`).
    Safe to call from several threads.
    """

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        outbound: Outbound | None = None,
        *,
        api_base: str = API_BASE,
    ) -> None:
        self._secrets = secrets
        self._clock = clock
        self._outbound = outbound or Outbound(timeout=30.0)
        self._api_base = api_base.rstrip("/")
        self._outbound.check(self._api_base)
        self._made: tuple[str, StripeClient] | None = None

    def check(self) -> None:
        """Raise ConfigurationError when the library or the secret is missing; calls nobody."""
        self._client()

    def authorize(
        self, *, key: str, reference: str, amount: int, currency: str, token: str
    ) -> Charge:
        """Reserve an amount; see PaymentGateway."""
        _positive(amount)
        params: PaymentIntentCreateParams = {
            "amount": amount,
            "currency": currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {REFERENCE: reference},
        }
        if token.startswith("tok_"):
            params["payment_method_data"] = {"type": "card", "card": {"token": token}}  # type: ignore[typeddict-unknown-key]  # a legacy token, which the types leave out
        else:
            params["payment_method"] = token

        def ask(client: StripeClient) -> PaymentIntent:
            return client.v1.payment_intents.create(params, {"idempotency_key": key})

        try:
            intent = self._call(ask, moves=True)
        except _Declined as declined:
            return self._charge(declined.intent)
        return self._charge(intent)

    def capture(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Take the authorised amount or a part of it, once."""
        _positive(amount)

        def ask(client: StripeClient) -> PaymentIntent:
            return client.v1.payment_intents.capture(
                charge_id, {"amount_to_capture": amount}, {"idempotency_key": key}
            )

        return self._now(self._call(ask, moves=True).id)

    def void(self, *, key: str, charge_id: str) -> Charge:
        """Give up an authorisation that was not captured."""

        def ask(client: StripeClient) -> PaymentIntent:
            return client.v1.payment_intents.cancel(charge_id, {}, {"idempotency_key": key})

        return self._now(self._call(ask, moves=True).id)

    def refund(self, *, key: str, charge_id: str, amount: int) -> Charge:
        """Pay back a part of what was captured, or all of it."""
        _positive(amount)
        for made in self._refunds(charge_id):
            if _noted(made, KEY) == key:
                if made.amount != amount:
                    raise GatewayRefused("key_reused", f"key '{key}' refunded {made.amount} before")
                return self._now(charge_id)

        def ask(client: StripeClient) -> Refund:
            return client.v1.refunds.create(
                {"payment_intent": charge_id, "amount": amount, "metadata": {KEY: key}},
                {"idempotency_key": key},
            )

        self._call(ask, moves=True)
        return self._now(charge_id)

    def find(self, reference: str) -> Charge | None:
        """Give the latest charge made under our reference, or None if there is none for sure.

        Search may be behind by a while, so intents of the last hours are also looked through.
        Raises Unavailable when there are too many of those to be sure.
        """
        quoted = reference.replace("\\", "\\\\").replace("'", "\\'")
        query = f"metadata['{REFERENCE}']:'{quoted}'"
        found = self._call(
            lambda client: client.v1.payment_intents.search({"query": query, "limit": 10})
        )
        candidates = [i for i in found.data if _noted(i, REFERENCE) == reference]
        if candidates:
            return self._now(max(candidates, key=lambda intent: intent.created).id)
        recent = self._recent(reference)
        return None if recent is None else self._now(recent.id)

    def _recent(self, reference: str) -> PaymentIntent | None:
        params: PaymentIntentListParams = {
            "limit": 100,
            "created": {"gte": int(self._clock.now()) - SEARCH_LAG},
        }
        for _ in range(MAX_PAGES):
            page = self._page(params)
            for intent in page.data:
                if _noted(intent, REFERENCE) == reference:
                    return intent
            if not page.has_more or not page.data:
                return None
            params["starting_after"] = page.data[-1].id
        raise Unavailable(
            f"more than {MAX_PAGES * 100} charges were made within {SEARCH_LAG // 3600} h: "
            f"whether '{reference}' is among them shows when Stripe's search has caught up"
        )

    def _page(self, params: PaymentIntentListParams) -> ListObject[PaymentIntent]:
        return self._call(lambda client: client.v1.payment_intents.list(params))

    def _refunds(self, intent_id: str) -> list[Refund]:
        page = self._call(
            lambda client: client.v1.refunds.list({"payment_intent": intent_id, "limit": 100})
        )
        return list(page.data)

    def _now(self, intent_id: str) -> Charge:
        return self._charge(
            self._call(lambda client: client.v1.payment_intents.retrieve(intent_id))
        )

    def _charge(self, intent: PaymentIntent) -> Charge:
        status, reason = _status(intent)
        refunded = 0
        if status is ChargeStatus.CAPTURED:
            made = self._refunds(intent.id)
            refunded = sum(refund.amount for refund in made if refund.status in _COUNTED)
            if refunded >= intent.amount_received:
                status = ChargeStatus.REFUNDED
        return Charge(
            charge_id=intent.id,
            reference=_noted(intent, REFERENCE),
            status=status,
            amount=intent.amount,
            currency=intent.currency.upper(),
            captured=intent.amount_received or 0,
            refunded=refunded,
            reason=reason,
        )

    def _call(self, ask: Callable[[StripeClient], T], *, moves: bool = False) -> T:
        """Call Stripe and turn its errors into the port's; `moves` says that it has an effect."""
        import stripe

        client = self._client()
        for _ in range(BUSY_TRIES):
            try:
                return ask(client)
            except stripe.StripeError as error:
                if not _is_busy(error):
                    raise _meaning(error, moves=moves) from error
            self._clock.sleep(BUSY_SECONDS)
        raise GatewayTimeout("another call of the same key is still under way at Stripe")

    def _client(self) -> StripeClient:
        key = self._secrets.get(API_KEY).reveal()
        made = self._made
        if made is None or made[0] != key:
            made = self._made = (key, _make_client(key, self._api_base, self._outbound))
        return made[1]


class _Declined(Exception):
    """Carries the intent of a card that was declined."""

    def __init__(self, intent: PaymentIntent) -> None:
        super().__init__("declined")
        self.intent = intent


def _make_client(key: str, api_base: str, outbound: Outbound) -> StripeClient:
    try:
        import stripe
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "payments over Stripe need its library: pip install 'cartwheel[stripe]'"
        ) from error

    class Client(stripe.HTTPClient):
        """Sends Stripe's requests through our rules for calls."""

        name = "cartwheel"

        def request(
            self,
            method: str,
            url: str,
            headers: Mapping[str, str] | None,
            post_data: object = None,
            **more: object,
        ) -> tuple[str, int, Mapping[str, str]]:
            body = post_data.encode() if isinstance(post_data, str) else None
            try:
                answer = outbound.send(method.upper(), url, headers or {}, body)
                return answer.body.decode(), answer.status, answer.headers
            except (NotSent, NoAnswer, ForbiddenUrl, UnicodeDecodeError) as error:
                raise stripe.APIConnectionError(str(error)) from error  # type: ignore[no-untyped-call]  # of the library

        def close(self) -> None:
            """Do nothing: no connection outlives its request."""

    return stripe.StripeClient(
        key,
        base_addresses={"api": api_base},
        max_network_retries=0,
        http_client=Client(),
    )


def _noted(made: PaymentIntent | Refund, name: str) -> str:
    """Give what we noted in an object's metadata; empty when there is nothing."""
    noted = made.metadata
    return str(noted[name]) if noted is not None and name in noted else ""


def _status(intent: PaymentIntent) -> tuple[ChargeStatus, str | None]:
    match intent.status:
        case "requires_capture":
            return ChargeStatus.AUTHORIZED, None
        case "succeeded":
            return ChargeStatus.CAPTURED, None
        case "canceled":
            return ChargeStatus.VOIDED, None
        case "requires_action" | "requires_confirmation" | "processing":
            return ChargeStatus.REQUIRES_ACTION, None
        case _:
            failed = intent.last_payment_error
            reason = None if failed is None else failed.decline_code or failed.code
            return ChargeStatus.DECLINED, reason or "declined"


def _is_busy(error: StripeError) -> bool:
    return error.http_status == 409 or (
        error.http_status == 400 and error.code in {"lock_timeout", "idempotency_key_in_use"}
    )


def _meaning(error: StripeError, *, moves: bool) -> Exception:
    """Say in the port's words what an error of Stripe's means."""
    import stripe

    code = error.code or (error.error.code if error.error is not None else None)
    if isinstance(error, stripe.CardError):
        failed = None if error.error is None else error.error.payment_intent
        if failed is not None and moves and failed.status == "requires_payment_method":
            return _Declined(failed)
        return _refused(code or "card_error")
    if isinstance(error, stripe.IdempotencyError):
        return GatewayRefused("key_reused", "the key was used before, for another request")
    if isinstance(error, stripe.InvalidRequestError):
        return _refused(code or "invalid_request", error.param)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Unavailable(
            f"Stripe refused the key ({error.http_status}); check the secret '{API_KEY}'"
        )
    if isinstance(error, stripe.RateLimitError):
        return Unavailable("Stripe asks for fewer requests (429)")
    if isinstance(error, stripe.APIConnectionError):
        if isinstance(error.__cause__, ForbiddenUrl):
            return error.__cause__
        if moves and not isinstance(error.__cause__, NotSent):
            return GatewayTimeout(f"Stripe did not answer: {error.user_message}")
        return Unavailable(f"Stripe can't be reached: {error.user_message}")
    return Unavailable(f"Stripe is out of order ({error.http_status})")


def _refused(code: str, where: str | None = None) -> GatewayRefused:
    # Without Stripe's own words: those quote the payment token.
    return GatewayRefused(code, f"Stripe refused: {code}" + (f" ({where})" if where else ""))


def _positive(amount: int) -> None:
    if amount < 1:
        raise GatewayRefused("invalid_amount", f"an amount is at least 1, not {amount}")
