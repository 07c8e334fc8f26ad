"""The local server's own pages: the mailbox, for the people at this machine."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict
from html import escape
from urllib.parse import urlsplit

from cartwheel.http import Request, Response
from cartwheel.ports import Mail, TextMessage
from cartwheel_local._outside import SqliteMailbox

PATHS = ("/_mailbox", "/_mailbox.json")
PAGE_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "article{border:1px solid #8888;border-radius:.5rem;padding:1rem;margin:1rem 0}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere}h2{margin:0}p{margin:.25rem 0}"
)
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
}


def page(request: Request, mailbox: SqliteMailbox, bind: str) -> Response | None:
    """Answer for a page of the server's own; None for all other paths.

    Mails hold secrets such as reset links: only this machine may read them, under a name of its
    own, so that a web page of somebody else's can't.
    """
    if request.path not in PATHS:
        return None
    if not from_here(request, bind):
        return plain(403, "The mailbox is shown to this machine only.\n")
    if request.method not in {"GET", "HEAD"}:
        return plain(405, "The mailbox can only be read.\n", {"allow": "GET, HEAD"})
    mails, texts = mailbox.mails(), mailbox.texts()
    if request.path.endswith(".json"):
        listed = {"mails": [asdict(m) for m in mails], "texts": [asdict(t) for t in texts]}
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        return Response(200, headers, json.dumps(listed).encode())
    return Response(200, PAGE_HEADERS, _html(mails, texts).encode())


def plain(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Answer with a line of text."""
    return Response(
        status, {"content-type": "text/plain; charset=utf-8", **(headers or {})}, text.encode()
    )


def from_here(request: Request, bind: str) -> bool:
    """Tell whether a request comes from this machine, under a name of its own."""
    try:
        if not ipaddress.ip_address(request.client).is_loopback:
            return False
        name = urlsplit(f"//{request.header('host') or ''}").hostname or ""
    except ValueError:
        return False
    return name in {"localhost", "127.0.0.1", "::1", bind}


def _html(mails: tuple[Mail, ...], texts: tuple[TextMessage, ...]) -> str:
    shown = [_mail(mail) for mail in reversed(mails)]
    sent = [
        f"<article><h2>{escape(text.to)}</h2><pre>{escape(text.text)}</pre></article>"
        for text in reversed(texts)
    ]
    nothing = ["<p>Nothing yet.</p>"]
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Mailbox</title><style>{PAGE_STYLE}</style></head><body>",
            f"<h1>Mails ({len(mails)})</h1>",
            *(shown or nothing),
            f"<h1>Text messages ({len(texts)})</h1>",
            *(sent or nothing),
            "</body></html>\n",
        ]
    )


def _mail(mail: Mail) -> str:
    html = ""
    if mail.html is not None:
        html = f"<details><summary>HTML</summary><pre>{escape(mail.html)}</pre></details>"
    return (
        f"<article><h2>{escape(mail.subject)}</h2><p>to {escape(mail.to)}</p>"
        f"<pre>{escape(mail.text)}</pre>{html}</article>"
    )
