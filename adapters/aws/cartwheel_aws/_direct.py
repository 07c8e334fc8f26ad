"""Consumers that are invoked directly: Lambda's asynchronous invocation, without a queue before it.

Lambda keeps the invocation, tries a function that fails again after a minute and after two more,
and puts a document about what failed for good into the queue of the function's failed calls. It
does so with all asynchronous invocations of the function, so schedules' ticks end there as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cartwheel.delivery import ERROR_LENGTH, decode_item
from cartwheel.ports import Json, JsonObject
from cartwheel_aws._calls import sdk_errors, unavailable
from cartwheel_aws._names import Place

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from cartwheel.dispatch import Dispatcher


class Invoker:
    """Hands items to the functions of consumers."""

    def __init__(self, client: LambdaClient, place: Place) -> None:
        self._client = client
        self._place = place

    def put(self, consumer: str, text: str, delay: int) -> None:
        """Invoke the consumer's function with an item's text.

        Raises Unavailable when nobody knows whether Lambda has taken it.
        """
        if delay:
            raise ValueError(f"{consumer} is invoked directly, which can't be delayed")
        function = self._place.names.function(consumer.partition(".")[0])
        payload = json.dumps({"consumer": consumer, "item": text})
        try:
            self._client.invoke(
                FunctionName=function, InvocationType="Event", Payload=payload.encode()
            )
        except sdk_errors() as error:
            permission = "lambda:InvokeFunction"
            raise unavailable(error, f"function {function}", permission) from error


class DeliveryFailed(Exception):
    """Says what a consumer raised, and no more: Lambda drops a document that is too large."""


def take(dispatcher: Dispatcher, consumer: str, text: str) -> None:
    """Hand an item to its consumer; raises DeliveryFailed, so that Lambda tries again."""
    try:
        dispatcher.deliver(consumer, decode_item(text))
    except Exception as error:  # noqa: BLE001  # a consumer may raise anything; it is tried again
        dispatcher.log.failure("delivery failed", error, consumer=consumer)
        what = f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
        raise DeliveryFailed(what.encode("utf-8", "replace").decode()) from None


@dataclass(frozen=True, slots=True)
class FailedCall:
    """Is what Lambda tells of an invocation that failed for good."""

    payload: Json
    error: str
    attempts: int

    @property
    def delivery(self) -> tuple[str, str] | None:
        """Give consumer and item's text, None when the call was no delivery."""
        match self.payload:
            case {"consumer": str(consumer), "item": str(text)}:
                return consumer, text
        return None

    @property
    def tick(self) -> str | None:
        """Give the schedule's name, None when the call was not its tick."""
        match self.payload:
            case {"schedule": str(name)}:
                return name
        return None


def failed_call(text: str) -> FailedCall | None:
    """Read Lambda's document; None for anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match document:
        case {"requestContext": dict(about), "requestPayload": payload}:
            count = about.get("approximateInvokeCount")
            attempts = count if isinstance(count, int) else 0
            return FailedCall(payload, _error(document, about, attempts), attempts)
    return None


def _error(document: JsonObject, about: JsonObject, attempts: int) -> str:
    match document.get("responsePayload"):
        case {"errorType": "DeliveryFailed", "errorMessage": str(message)}:
            return message
        case {"errorType": str(kind), "errorMessage": str(message)}:
            return f"{kind}: {message}"[:ERROR_LENGTH]
        case {"errorMessage": str(message)}:
            # A function that crashed or timed out has no type of error in some runtimes.
            return message[:ERROR_LENGTH]
    return (
        f"{about.get('condition')} after {attempts} tries, without an answer: the function was "
        "throttled, crashed or timed out; look into its log"
    )
