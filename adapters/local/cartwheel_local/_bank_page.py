"""The test bank's page: the card's holder answers there what the bank asks, at this machine."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import urlsplit

from cartwheel.http import Request, Response
from cartwheel.ports import Charge, ChargeStatus, GatewayRefused
from cartwheel.testgateway import WEBHOOK_KEY, WEBHOOK_PATH, webhook_of
from cartwheel_local._host import LocalHost
from cartwheel_local._pages import PAGE_HEADERS, PAGE_STYLE, from_here, plain

PATHS = ("/_bank", "/_bank.json")


def bank_page(request: Request, host: LocalHost, bind: str) -> Response | None:
    """Answer for the bank's page; None for all other paths.

    A POST to it with `?charge=ID&answer=approve` or `deny` plays the card's holder, and the bank
    writes to the application as a real one would.
    """
    if request.path not in PATHS:
        return None
    if not from_here(request, bind) or not _same_site(request):
        return plain(403, "The test bank is open to this machine only.\n")
    if request.method == "POST" and request.path == "/_bank":
        return _answered(request, host)
    if request.method not in {"GET", "HEAD"}:
        return plain(405, "The bank is read with GET and answered with POST.\n")
    waiting = [c for c in host.bank.charges() if c.status is ChargeStatus.REQUIRES_ACTION]
    if request.path.endswith(".json"):
        listed = [
            {"charge_id": c.charge_id, "amount": c.amount, "currency": c.currency} for c in waiting
        ]
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        return Response(200, headers, json.dumps({"waiting": listed}).encode())
    return Response(200, PAGE_HEADERS, _html(waiting).encode())


def _same_site(request: Request) -> bool:
    """Tell whether no page of another site sends this: a browser names it in Origin."""
    origin = request.header("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == (request.header("host") or "")
    except ValueError:
        return False


def _answered(request: Request, host: LocalHost) -> Response:
    charge_id = request.query.get("charge", ("",))[-1]
    answer = request.query.get("answer", ("",))[-1]
    if answer not in {"approve", "deny"}:
        return plain(400, "The answer is approve or deny.\n")
    try:
        charge = host.gateway.act(charge_id, approved=answer == "approve")
    except GatewayRefused as refusal:
        return plain(409, f"{refusal.message}\n")
    _write_to_shop(charge, host)
    return Response(303, {"location": "/_bank", "cache-control": "no-store"})


def _write_to_shop(charge: Charge, host: LocalHost) -> None:
    ports = host.ports
    headers, body = webhook_of(charge, ports.secrets.get(WEBHOOK_KEY), ports.clock.now())
    fields = {name: (value,) for name, value in headers.items()}
    response = host.dispatcher.http(Request("POST", WEBHOOK_PATH, headers=fields, body=body))
    if response.status >= 300:
        host.log.warning("the bank's webhook was not taken", status=response.status)


def _html(waiting: list[Charge]) -> str:
    shown = [_asked(charge) for charge in waiting] or ["<p>No card's holder is asked anything.</p>"]
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Test bank</title><style>{PAGE_STYLE}</style></head><body>",
            f"<h1>Payments that wait for the card's holder ({len(waiting)})</h1>",
            *shown,
            "</body></html>\n",
        ]
    )


def _asked(charge: Charge) -> str:
    target = f"/_bank?charge={escape(charge.charge_id)}&amp;answer="
    buttons = "".join(
        f'<form method="post" action="{target}{answer}"><button>{label}</button></form>'
        for answer, label in (("approve", "Approve"), ("deny", "Deny"))
    )
    amount = f"{charge.amount // 100}.{charge.amount % 100:02d} {escape(charge.currency)}"
    return f"<article><h2>{amount}</h2><p>{escape(charge.charge_id)}</p>{buttons}</article>"
