"""Plays the day, prints it, and draws the sum."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cartwheel.ports import JsonObject
from shopctl._demo._books import Books, ask, together
from shopctl._demo._checks import check_all
from shopctl._demo._client import euros
from shopctl._demo._day import CHAPTERS, Day
from shopctl._demo._local_stage import LocalStage
from shopctl._demo._stage import Check, Stage
from shopctl._errors import CliError
from shopctl._output import emit, progress, say, table


def play(data: Path | None, *, as_json: bool) -> int:
    """Play the day and give 0 if everything holds that must."""
    with _ended_by_sigterm(), _folder(data) as folder:
        return _play(folder, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Played:
    """Is a day that is over: its story, the books, what must hold, and how long it took."""

    story: tuple[JsonObject, ...]
    books: Books
    checks: tuple[Check, ...]
    seconds: float

    @property
    def good(self) -> bool:
        """Tell whether everything holds that must."""
        return all(check.holds for check in self.checks)


def play_on(stage: Stage, tell: Callable[[str], None]) -> Played:
    """Play the day on a stage, which is closed at the end; each line is told as it happens."""
    began = time.monotonic()
    story: list[JsonObject] = []
    lines: list[str] = []

    def tell_line(line: str) -> None:
        lines.append(line)
        tell(f"   {line}")

    day = Day(stage, tell_line)
    try:
        for number, chapter in enumerate(CHAPTERS, 1):
            title = (chapter.__doc__ or chapter.__name__).format(crash=stage.words.crash)
            lines = []
            tell(f"{number}. {title}")
            chapter(day)
            story.append({"title": title, "lines": [*lines]})
        day.wait_for_quiet()
        asked = ask(day)
        ending = stage.close()
    finally:
        stage.close()
    books = together(stage.records(), *asked)
    checks = check_all(day, books, ending)
    return Played(tuple(story), books, tuple(checks), time.monotonic() - began)


def _play(folder: Path, *, as_json: bool) -> int:
    played = play_on(LocalStage(folder), _silence if as_json else progress)
    if as_json:
        emit(_document(played))
    else:
        _print(played)
    return 0 if played.good else 1


def _silence(line: str) -> None:
    """Say nothing."""


@contextlib.contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Give a fresh folder; a temporary one is removed afterwards."""
    if data is None:
        with tempfile.TemporaryDirectory(
            prefix="shopctl-demo-", ignore_cleanup_errors=True
        ) as made:
            yield Path(made)
        return
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise CliError(
            f"{data} is not an empty folder", "the demo counts everything: name a new one"
        )
    data.mkdir(parents=True, exist_ok=True)
    yield data


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that its server never outlives it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(played: Played) -> None:
    books, checks = played.books, played.checks
    say("\nOrders")
    table(
        ("order", "customer", "status", "reason", "total", "payment", "taken", "given back"),
        [
            (
                order.order_id[:12],
                books.customers.get(str(order.body.get("customer_id")), ""),
                order.status,
                order.reason,
                euros(order.total),
                order.payment,
                euros(order.captured),
                euros(order.refunded),
            )
            for order in reversed(books.orders)
        ],
    )
    say("\nStock that moved")
    table(
        ("product", "received", "written off", "available", "reserved", "sold"),
        [
            (s.name, *map(str, (s.received, s.written_off, s.available, s.reserved, s.sold)))
            for s in books.stock
            if s.sold or s.reserved
        ],
    )
    say("\nThe bank's charges")
    table(
        ("charge", "order", "status", "amount", "taken", "given back", "reason"),
        [
            (
                c.charge_id,
                books.order_of(c)[:12],
                c.status.value,
                *map(euros, (c.amount, c.captured, c.refunded)),
                c.reason or "",
            )
            for c in books.charges
        ],
    )
    say("\nMails")
    table(("to", "subject"), [(mail.to, mail.subject) for mail in books.mails])
    say("\nWhat must hold")
    for check in checks:
        say(f"  {'✓' if check.holds else '✗'} {check.claim} ({check.figures})")
        for problem in check.problems:
            say(f"      {problem}")
    failed = sum(not check.holds for check in checks)
    verdict = f"{failed} of {len(checks)} do NOT hold" if failed else f"all {len(checks)} hold"
    say(f"\n{verdict}; {played.seconds:.1f} s")


def _document(played: Played) -> JsonObject:
    books = played.books
    return {
        "ok": played.good,
        "seconds": round(played.seconds, 1),
        "story": [*played.story],
        "orders": [order.body for order in books.orders],
        "stock": [stock.to_json() for stock in books.stock],
        "payments": [
            {
                "charge_id": c.charge_id,
                "order_id": books.order_of(c),
                "status": c.status.value,
                "amount": c.amount,
                "currency": c.currency,
                "captured": c.captured,
                "refunded": c.refunded,
                "reason": c.reason,
            }
            for c in books.charges
        ],
        "mails": [{"id": m.id, "to": m.to, "subject": m.subject} for m in books.mails],
        "checks": [check.to_json() for check in played.checks],
    }
