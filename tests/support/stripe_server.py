"""A server on loopback that speaks the part of Stripe's API that the gateway uses.

It covers PaymentIntents (create with confirm, retrieve, list, search, capture, cancel) and Refunds
(create, list) with form bodies, metadata, idempotency keys, errors in Stripe's shape, and a search
that is behind. It is written from Stripe's public reference and stands for nothing else of Stripe:
no webhooks, no expiry of keys, no fees, no disputes. Payment methods of the name `pm_test_...` play
faults; they are this server's own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Fields = dict[str, str]
Document = dict[str, Any]

DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
}
REPLY_LOST, NEVER_ANSWERS = "pm_test_reply_lost", "pm_test_never_answers"
FAILS_ONCE, NEEDS_ACTION = "pm_test_fails_once", "pm_card_authenticationRequired"
GOOD = {"pm_card_visa", "tok_visa", REPLY_LOST, FAILS_ONCE, NEEDS_ACTION}


class Refused(Exception):
    """Ends a request with an error in Stripe's shape."""

    def __init__(self, status: int, kind: str, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "code": code, "message": message, **more}


def invalid(code: str, message: str, status: int = 400) -> Refused:
    """Make an invalid_request_error."""
    return Refused(status, "invalid_request_error", code, message)


@dataclass
class Stripe:
    """Is the books and the switches of one server."""

    key: str = "sk_test_right"
    cards: dict[str, str] = field(default_factory=dict)
    """Further payment methods, and the known one that each behaves like."""
    search_is_behind: bool = False
    hang_seconds: float = 3.0
    intents: dict[str, Document] = field(default_factory=dict)
    refunds: list[Document] = field(default_factory=list)
    replies: dict[str, tuple[str, Fields, int, Document]] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    fail_next: list[int] = field(default_factory=list)
    """Statuses of answers that are given before anything is looked at."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, method: str, path: str, fields: Fields) -> tuple[int, Document]:
        """Answer a request that is not a repeated one."""
        match method, path.strip("/").split("/")[1:]:
            case "POST", ["payment_intents"]:
                return self._create(fields)
            case "GET", ["payment_intents"]:
                return 200, self._page([*reversed(self.intents.values())], fields)
            case "GET", ["payment_intents", "search"]:
                return 200, self._search(fields["query"])
            case "GET", ["payment_intents", intent_id]:
                return 200, self._known(intent_id)
            case "POST", ["payment_intents", intent_id, "capture"]:
                return 200, self._capture(self._known(intent_id), fields)
            case "POST", ["payment_intents", intent_id, "cancel"]:
                return 200, self._cancel(self._known(intent_id))
            case "POST", ["refunds"]:
                return 200, self._refund(fields)
            case "GET", ["refunds"]:
                of = [r for r in self.refunds if r["payment_intent"] == fields["payment_intent"]]
                return 200, self._page([*reversed(of)], {})
            case _:
                raise invalid("resource_missing", f"Unrecognized request URL ({path})", 404)

    def _create(self, fields: Fields) -> tuple[int, Document]:
        method = fields.get("payment_method") or fields.get("payment_method_data[card][token]", "")
        method = self.cards.get(method, method)
        if method not in GOOD and method not in DECLINES:
            raise invalid("resource_missing", f"No such PaymentMethod: '{method}'")
        intent: Document = {
            "id": f"pi_{len(self.intents) + 1:06d}",
            "object": "payment_intent",
            "amount": int(fields["amount"]),
            "amount_received": 0,
            "created": int(time.time()),
            "currency": fields["currency"],
            "last_payment_error": None,
            "metadata": _metadata(fields),
            "status": "requires_action" if method == NEEDS_ACTION else "requires_capture",
        }
        assert fields["capture_method"] == "manual"
        assert fields["confirm"] == "true"
        self.intents[intent["id"]] = intent
        if method in DECLINES:
            code, decline = DECLINES[method]
            error = {"type": "card_error", "code": code, "decline_code": decline}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
            raise Refused(
                402,
                "card_error",
                code,
                "Your card was declined.",
                decline_code=decline,
                payment_intent=dict(intent),
            )
        return 200, intent

    def _known(self, intent_id: str) -> Document:
        if intent_id not in self.intents:
            raise invalid("resource_missing", f"No such payment_intent: '{intent_id}'", 404)
        return self.intents[intent_id]

    def _capture(self, intent: Document, fields: Fields) -> Document:
        amount = int(fields["amount_to_capture"])
        if intent["status"] != "requires_capture":
            raise invalid("payment_intent_unexpected_state", f"status {intent['status']}")
        if amount > intent["amount"]:
            raise invalid("amount_too_large", "greater than the amount you can capture")
        intent |= {"status": "succeeded", "amount_received": amount}
        return intent

    def _cancel(self, intent: Document) -> Document:
        if intent["status"] not in {
            "requires_capture",
            "requires_action",
            "requires_payment_method",
        }:
            raise invalid("payment_intent_unexpected_state", f"status {intent['status']}")
        intent["status"] = "canceled"
        return intent

    def _refund(self, fields: Fields) -> Document:
        intent, amount = self._known(fields["payment_intent"]), int(fields["amount"])
        if intent["status"] != "succeeded":
            raise invalid("charge_not_captured", "there is no successful charge to refund")
        before = sum(r["amount"] for r in self.refunds if r["payment_intent"] == intent["id"])
        if before == intent["amount_received"]:
            raise invalid("charge_already_refunded", "has already been refunded")
        if before + amount > intent["amount_received"]:
            raise invalid("amount_too_large", "greater than unrefunded amount")
        refund: Document = {
            "id": f"re_{len(self.refunds) + 1:06d}",
            "object": "refund",
            "amount": amount,
            "metadata": _metadata(fields),
            "payment_intent": intent["id"],
            "status": "succeeded",
        }
        self.refunds.append(refund)
        return refund

    def _search(self, query: str) -> Document:
        name, _, rest = query.removeprefix("metadata['").partition("']:'")
        wanted = rest.removesuffix("'").replace("\\'", "'").replace("\\\\", "\\")
        known = [] if self.search_is_behind else list(self.intents.values())
        found = [intent for intent in known if intent["metadata"].get(name) == wanted]
        return {"object": "search_result", "data": found, "has_more": False, "url": "/v1/search"}

    def _page(self, found: list[Document], fields: Fields) -> Document:
        since, limit = int(fields.get("created[gte]", "0")), int(fields.get("limit", "10"))
        found = [item for item in found if item.get("created", since) >= since]
        after = fields.get("starting_after")
        if after is not None:
            found = found[[item["id"] for item in found].index(after) + 1 :]
        more = len(found) > limit
        return {"object": "list", "data": found[:limit], "has_more": more, "url": "/v1/list"}


def _metadata(fields: Fields) -> Fields:
    return {
        name.removeprefix("metadata[").removesuffix("]"): value
        for name, value in fields.items()
        if name.startswith("metadata[")
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    books: Stripe

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        books, parts = self.books, urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        fields = dict(parse_qsl(sent or parts.query, keep_blank_values=True))
        key = self.headers.get("idempotency-key") or ""
        books.requests.append((self.command, parts.path))
        try:
            if self.headers.get("authorization") != f"Bearer {books.key}":
                raise Refused(401, "invalid_request_error", "invalid_api_key", "Invalid API Key")
            if books.fail_next:
                raise Refused(books.fail_next.pop(0), "api_error", "", "out of order")
            method = fields.get("payment_method")
            first = key not in books.seen
            books.seen.add(key)
            if method == NEVER_ANSWERS:
                books.closing.wait(books.hang_seconds)
                self.close_connection = True
                return
            if method == FAILS_ONCE and first:
                raise Refused(503, "api_error", "", "out of order")
            status, document = self._once(key, parts.path, fields)
            if method == REPLY_LOST and first:
                self.close_connection = True
                return
        except Refused as refused:
            status, document = refused.status, {"error": refused.error}
        self._write(status, document)

    def _once(self, key: str, path: str, fields: Fields) -> tuple[int, Document]:
        books = self.books
        if self.command == "GET":
            with books.lock:
                return books.answer("GET", path, fields)
        with books.lock:
            if key in books.busy:
                raise Refused(
                    409, "invalid_request_error", "idempotency_key_in_use", "another request"
                )
            kept = books.replies.get(key)
            if kept is not None:
                if kept[:2] != (path, fields):
                    raise Refused(400, "idempotency_error", "", "keys for idempotent requests")
                return kept[2], kept[3]
            books.busy.add(key)
        try:
            time.sleep(0.02)
            with books.lock:
                try:
                    status, document = books.answer("POST", path, fields)
                except Refused as refused:
                    status, document = refused.status, {"error": refused.error}
                document = json.loads(json.dumps(document))
                books.replies[key] = (path, fields, status, document)
                return status, document
        finally:
            with books.lock:
                books.busy.discard(key)

    def _write(self, status: int, document: Document) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", "req_test")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def stripe_server() -> Iterator[Stripe]:
    """Serve on a free loopback port."""
    books = Stripe()
    handler = type("Handler", (_Handler,), {"books": books})
    with _Server(("127.0.0.1", 0), handler) as server:
        books.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield books
        finally:
            books.closing.set()
            server.shutdown()
            thread.join()
