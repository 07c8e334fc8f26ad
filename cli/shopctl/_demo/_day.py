"""The customer's day: its chapters, each told while it happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cartwheel.ports import JsonObject
from shopctl._demo._client import Answer, Client, Order, amount_of, euros, new_key
from shopctl._demo._stage import Stage
from shopctl._errors import CliError

PASSWORD = "correct horse battery staple"  # noqa: S105  # of people who exist for a minute
STAFF = "staff@example.com"
RACERS = 8
LAST_PIECES = 3
SETTLE_SECONDS = 60.0
CRASH_TRIES = 3

Tell = Callable[[str], None]


@dataclass(slots=True)
class Day:
    """Is what one chapter leaves to the next."""

    stage: Stage
    tell: Tell
    url: str = ""
    staff: Client = field(default_factory=lambda: Client(""))
    products: dict[str, str] = field(default_factory=dict)
    """Product ids by name."""
    customers: dict[str, Client] = field(default_factory=dict)
    won: int = 0
    refused: int = 0
    crashes: int = 0
    interrupted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By order that a crash interrupted: the steps that were written before it."""

    def moved(self, url: str) -> None:
        """Tell everybody where the shop is now."""
        self.url = url
        for client in (self.staff, *self.customers.values()):
            client.url = url

    def wait_for_quiet(self) -> None:
        """Wait until no checkout or cancellation is under way any more, mails included."""
        end = time.monotonic() + SETTLE_SECONDS
        while self.stage.busy():
            if time.monotonic() > end:
                raise CliError(f"a workflow is still running after {SETTLE_SECONDS:.0f} s")
            time.sleep(self.stage.pause)

    def client(self) -> Client:
        """Give somebody who can send requests."""
        return Client(self.url, pause=self.stage.pause)

    def join(self, name: str) -> Client:
        """Register somebody and log them in."""
        client = self.client()
        email = f"{name.lower()}@example.com"
        credentials: JsonObject = {"email": email, "password": PASSWORD}
        client.want(201, "POST", "/users/register", {**credentials, "name": name})
        client.token = str(client.want(200, "POST", "/users/login", credentials)["access_token"])
        self.customers[name] = client
        return client

    def fill_cart(self, client: Client, *names: str, quantity: int = 1) -> int:
        """Put products into a customer's cart, and give what it costs now."""
        cart: JsonObject = {}
        for name in names:
            line: JsonObject = {"product_id": self.products[name], "quantity": quantity}
            cart = client.want(200, "POST", "/cart/items", line)
        return amount_of(cart["total"])


def checkout(client: Client, token: str, total: int, key: str | None = None) -> Answer:
    """Check a cart out with a test card."""
    body: JsonObject = {
        "payment_token": token,
        "expected_total": {"amount": total, "currency": "EUR"},
    }
    return client.send("POST", "/checkout", body, key=key or new_key())


def accepted(answer: Answer) -> str:
    """Give the order's id of a checkout that was accepted."""
    if answer.status != 202:
        raise CliError(f"the checkout answered {answer.status}: {answer.body}")
    return str(answer.body["order_id"])


def opening(day: Day) -> None:
    """The shop opens"""
    day.stage.add_staff(STAFF, PASSWORD)
    day.url = day.stage.open()
    day.staff = day.client()
    credentials: JsonObject = {"email": STAFF, "password": PASSWORD}
    tokens = day.staff.want(200, "POST", "/users/login", credentials)
    day.staff.token = str(tokens["access_token"])
    items = day.staff.want(200, "GET", "/products?limit=100")["items"]
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            day.products[str(item["name"])] = str(item["product_id"])
    words = day.stage.words
    day.tell(f"{words.server} answers at {day.url}, {words.place}.")
    day.tell(f"{len(day.products)} products are on the shelves.")


def good_day(day: Day) -> None:
    """Ada buys a pen and a notebook"""
    ada = day.join("Ada")
    total = day.fill_cart(ada, "Fountain pen", "Dotted notebook")
    day.tell(f"Ada registers, logs in and puts two things into her cart: {euros(total)}.")
    key = new_key()
    order_id = accepted(checkout(ada, "tok_ok", total, key))
    again = accepted(checkout(ada, "tok_ok", total, key))
    day.tell(
        f"She checks out twice with the same key: order {_short(order_id)}, and again the same."
    )
    if again != order_id:
        raise CliError(f"the same Idempotency-Key made two orders, {order_id} and {again}")
    _told(day, "Ada", *ada.settled(order_id, SETTLE_SECONDS))


def declined(day: Day) -> None:
    """Bob's card is declined"""
    bob = day.join("Bob")
    total = day.fill_cart(bob, "Canvas rucksack")
    order_id = accepted(checkout(bob, "tok_declined", total))
    _told(day, "Bob", *bob.settled(order_id, SETTLE_SECONDS))
    day.tell("The rucksack is back on the shelf.")


def race(day: Day) -> None:
    """Eight customers want the last three lamps"""
    price: JsonObject = {"amount": 4500, "currency": "EUR"}
    lamp: JsonObject = {"name": "Brass lamp", "category": "home", "price": price}
    made = day.staff.want(201, "POST", "/products", {**lamp, "stock": LAST_PIECES})
    day.products["Brass lamp"] = str(made["product_id"])
    racers = [day.join(f"Racer{number}") for number in range(1, RACERS + 1)]
    totals = [day.fill_cart(racer, "Brass lamp") for racer in racers]
    start = threading.Barrier(RACERS)

    def run(racer: Client, total: int) -> Answer:
        start.wait(SETTLE_SECONDS)
        return checkout(racer, "tok_ok", total)

    with ThreadPoolExecutor(RACERS) as threads:
        answers = list(threads.map(run, racers, totals))
    won = [pair for pair in zip(racers, answers, strict=True) if pair[1].status == 202]
    refused = [a for a in answers if a.status == 409 and a.code == "out_of_stock"]
    day.won, day.refused = len(won), len(refused)
    day.tell(f"All at once: {len(won)} are accepted, {len(refused)} get a clear 409 out_of_stock.")
    for racer, answer in won:
        order, _ = racer.settled(accepted(answer), SETTLE_SECONDS)
        if order.status != "confirmed":
            raise CliError(f"a lamp was promised, and its order {order.order_id} is {order.status}")
    day.tell("Each of the winners' orders is confirmed and paid.")


def unknown(day: Day) -> None:
    """The bank does not answer"""
    carol, dave = day.join("Carol"), day.join("Dave")
    first = day.fill_cart(carol, "Wool blanket")
    second = day.fill_cart(dave, "Desk lamp")
    day.tell("Carol's and Dave's payments time out. Carol was charged, Dave was not: nobody knows.")
    hers = accepted(checkout(carol, "tok_timeout_charged", first))
    his = accepted(checkout(dave, "tok_timeout_not_charged", second))
    _told(day, "Carol", *carol.settled(hers, SETTLE_SECONDS))
    _told(day, "Dave", *dave.settled(his, SETTLE_SECONDS))
    day.tell("The bank was asked before anything was tried again.")


def crash(day: Day) -> None:
    """{crash} in the middle of Erin's checkout"""
    words = day.stage.words
    for number in range(1, CRASH_TRIES + 1):
        name = "Erin" if number == 1 else f"Erin{number}"
        erin = day.join(name)
        total = day.fill_cart(erin, "Chef's knife", "Enamel mug")

        def place(erin: Client = erin, total: int = total) -> Order:
            # Her bank's first answer gets lost, so that the checkout is under way for a moment.
            return erin.order(accepted(checkout(erin, "tok_timeout_charged", total)))

        crashed = day.stage.crash(place)
        order_id = crashed.order.order_id
        day.crashes += 1
        day.tell(f"{name}'s order is {crashed.order.status} when {words.crashed}.")
        began = time.monotonic()
        url, back = day.stage.recover()
        day.moved(url)
        if crashed.running:
            day.interrupted[order_id] = crashed.written
            written = ", ".join(crashed.written)
            day.tell(f"{words.kept}: {written}; the checkout had not ended.")
        order, seen = erin.settled(order_id, SETTLE_SECONDS)
        day.tell(f"{back}; {time.monotonic() - began:.1f} s later:")
        _told(day, name, order, seen)
        if crashed.running:
            return
        day.tell("The checkout was faster than the kill; once more.")
    raise CliError(f"{CRASH_TRIES} checkouts in a row ended before the process could be killed")


def second_thoughts(day: Day) -> None:
    """Ada changes her mind"""
    ada = day.customers["Ada"]
    total = day.fill_cart(ada, "Folding umbrella")
    order_id = accepted(checkout(ada, "tok_ok", total))
    order, _ = ada.settled(order_id, SETTLE_SECONDS)
    day.tell(f"She buys an umbrella for {euros(total)} ({order.status}) and cancels it.")
    ada.want(202, "POST", f"/orders/{order_id}/cancel", key=new_key())
    end = time.monotonic() + SETTLE_SECONDS
    while (order := ada.order(order_id)).status != "cancelled" or not order.at_rest:
        if time.monotonic() > end:
            raise CliError(f"order {order_id} is not cancelled but {order.status}")
        time.sleep(day.stage.pause)
    day.tell(f"The order is {order.status}, {euros(order.refunded)} went back to her.")


CHAPTERS: tuple[Callable[[Day], None], ...] = (
    opening,
    good_day,
    declined,
    race,
    unknown,
    crash,
    second_thoughts,
)


def _told(day: Day, name: str, order: Order, seen: list[str]) -> None:
    why = f" ({order.reason})" if order.reason else ""
    payments = list(dict.fromkeys(state.split("/")[1] for state in seen))
    day.tell(
        f"{name}'s order {_short(order.order_id)} is {order.status}{why}; "
        f"payment: {' > '.join(payments)}."
    )


def _short(order_id: str) -> str:
    return order_id[:12]
