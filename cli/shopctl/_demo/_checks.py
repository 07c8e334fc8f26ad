"""What must hold when the day is over, each read from the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from cartwheel.ports import ChargeStatus, RunStatus
from shopctl._demo._books import Books
from shopctl._demo._client import euros
from shopctl._demo._day import LAST_PIECES, RACERS, Day
from shopctl._demo._stage import Check

FINAL = frozenset({"confirmed", "rejected", "cancelled"})
HOLDING = frozenset({ChargeStatus.AUTHORIZED, ChargeStatus.REQUIRES_ACTION})


def check_all(day: Day, books: Books, ending: Check) -> list[Check]:
    """Check everything; how the stage ended counts, too."""
    found = [check(books) for check in _CHECKS]
    found.append(_race(day))
    found.append(_crash(day, books))
    found.append(ending)
    return found


def _orders(books: Books) -> Check:
    open_ = [
        f"{o.order_id} is {o.status}/{o.payment}"
        for o in books.orders
        if not _final(books, o.order_id)
    ]
    counts = Counter(order.status for order in books.orders)
    figures = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return Check("every order has come to an end", tuple(open_), figures)


def _final(books: Books, order_id: str) -> bool:
    order = next(order for order in books.orders if order.order_id == order_id)
    return order.status in FINAL and order.at_rest


def _stock_equation(books: Books) -> Check:
    wrong = [
        f"{s.name}: {s.received} - {s.written_off} != {s.available} + {s.reserved} + {s.sold}"
        for s in books.stock
        if s.received - s.written_off != s.available + s.reserved + s.sold or s.available < 0
    ]
    figures = f"{len(books.stock)} products"
    return Check("received - written off = available + reserved + sold", tuple(wrong), figures)


def _sold(books: Books) -> Check:
    bought: Counter[str] = Counter()
    for order in books.orders:
        if order.status == "confirmed":
            bought.update(order.quantities)
    wrong = [
        f"{s.name}: {s.sold} sold, {bought[s.product_id]} in confirmed orders"
        for s in books.stock
        if s.sold != bought[s.product_id]
    ]
    figures = f"{sum(bought.values())} pieces"
    return Check("what is sold is what confirmed orders hold", tuple(wrong), figures)


def _reserved(books: Books) -> Check:
    held = [f"{s.name}: {s.reserved} held" for s in books.stock if s.reserved]
    total = sum(s.reserved for s in books.stock)
    return Check("no reservation is left over", tuple(held), f"{total} held")


def _one_charge(books: Books) -> Check:
    wrong: list[str] = []
    confirmed = [order for order in books.orders if order.status == "confirmed"]
    for order in confirmed:
        taken = [
            charge.captured
            for charge in books.charges
            if books.order_of(charge) == order.order_id and charge.captured
        ]
        if taken != [order.total]:
            wrong.append(f"{order.order_id} costs {order.total}, the bank took {taken}")
    figures = f"{len(confirmed)} charges, {euros(sum(order.total for order in confirmed))}"
    return Check("each confirmed order was charged once, in full", tuple(wrong), figures)


def _no_other_money(books: Books) -> Check:
    confirmed = {order.order_id for order in books.orders if order.status == "confirmed"}
    others = [charge for charge in books.charges if books.order_of(charge) not in confirmed]
    wrong = [
        f"{charge.charge_id} is {charge.status}: {charge.captured} taken, {charge.refunded} back"
        for charge in others
        if charge.captured != charge.refunded or charge.status in HOLDING
    ]
    figures = f"{len(others)} charges declined, voided or refunded"
    return Check("nobody else's money is held or taken", tuple(wrong), figures)


def _books_agree(books: Books) -> Check:
    bank = sum(charge.captured - charge.refunded for charge in books.charges)
    shop = sum(order.captured - order.refunded for order in books.orders)
    wrong = () if bank == shop else (f"the bank has {bank}, the shop {shop}",)
    return Check("the bank's books and the shop's agree", wrong, euros(bank))


def _mails(books: Books) -> Check:
    ids = Counter(mail.id for mail in books.mails)
    wrong = [
        f"mail {mail_id} was sent {count} times" for mail_id, count in ids.items() if count > 1
    ]
    told = Counter((mail.to, mail.subject, mail.text) for mail in books.mails)
    wrong += [f"{to} got '{subject}' {n} times" for (to, subject, _), n in told.items() if n > 1]
    for order in books.orders:
        about = [mail for mail in books.mails if order.order_id in mail.text]
        # A cancelled order was confirmed before, and refused ones of the race get their answer.
        expected = 2 if order.status == "cancelled" else 1
        if len(about) != expected:
            wrong.append(f"{order.order_id} ({order.status}): {len(about)} mails, not {expected}")
    return Check(
        "everybody was told once, and nobody twice", tuple(wrong), f"{len(books.mails)} mails"
    )


def _runs(books: Books) -> Check:
    wrong = [
        f"{run.run_id} is {run.status.value}"
        for run in books.runs
        if run.status is not RunStatus.SUCCEEDED or run.compensation_failures
    ]
    wrong += [f"dead letter {letter.id} of {letter.consumer}" for letter in books.dead_letters]
    figures = f"{len(books.runs)} runs, {len(books.dead_letters)} dead letters"
    return Check("every workflow ended, nothing is stuck or undone by half", tuple(wrong), figures)


def _race(day: Day) -> Check:
    expected = (LAST_PIECES, RACERS - LAST_PIECES)
    wrong = (
        ()
        if (day.won, day.refused) == expected
        else (f"expected {expected[0]} accepted and {expected[1]} refused",)
    )
    figures = f"{day.won} accepted, {day.refused} refused"
    return Check("the last pieces were sold exactly once each", wrong, figures)


def _crash(day: Day, books: Books) -> Check:
    wrong: list[str] = []
    after: list[str] = []
    for order_id, before in day.interrupted.items():
        order = next((o for o in books.orders if o.order_id == order_id), None)
        run = next(r for r in books.runs if r.input.get("order_id") == order_id)
        steps = [entry.step for entry in books.histories[run.run_id]]
        after += steps[len(before) :]
        if order is None or order.status != "confirmed":
            wrong.append(f"{order_id} is {order.status if order else 'lost'}")
        if not after:
            wrong.append(f"{order_id} did nothing after the crash")
    if not day.interrupted:
        wrong.append("no checkout was interrupted")
    return Check(
        "the checkout that a kill interrupted went on where it had stopped",
        tuple(wrong),
        f"after it: {', '.join(dict.fromkeys(after))}",
    )


_CHECKS: tuple[Callable[[Books], Check], ...] = (
    _orders,
    _stock_equation,
    _sold,
    _reserved,
    _one_charge,
    _no_other_money,
    _books_agree,
    _mails,
    _runs,
)
