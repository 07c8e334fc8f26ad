"""What all services share: money, records, derived ids, and listings that are filtered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from cartwheel.ports import Page, Ports, Row, rfc3339
from cartwheel.unit import Unit, transact
from cartwheel_shop import _base
from cartwheel_shop._base import Line, Money, Payload, Record, digest, gather, read, total_of
from cartwheel_shop.users import service as users

MAX = 10**12


class Pebble(Record):
    """Is something to list."""

    number: int
    colour: str = "grey"


@pytest.mark.parametrize("amount", [0, 1, MAX])
def test_an_amount_is_whole_not_negative_and_far_below_what_a_double_holds(amount: int) -> None:
    assert Money(amount=amount) == Money(amount=amount, currency="EUR")
    assert MAX == _base.MAX_AMOUNT < 2**53 // 1000


@pytest.mark.parametrize("amount", [-1, MAX + 1, 1.5, "x"])
def test_any_other_amount_is_refused(amount: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount})


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "", "E1R", " EUR"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(ValidationError):
        Money(amount=1, currency=currency)


def test_a_price_times_a_quantity_keeps_its_currency() -> None:
    assert Money(amount=1290, currency="USD").times(3) == Money(amount=3870, currency="USD")
    assert Money(amount=1290).times(0) == Money(amount=0)
    assert Money(amount=1290).times(1) == Money(amount=1290)


def test_a_product_beyond_the_largest_amount_is_refused_rather_than_kept() -> None:
    with pytest.raises(ValidationError):
        Money(amount=MAX).times(2)


def test_amounts_of_one_currency_add_up_in_it() -> None:
    assert total_of([Money(amount=3, currency="USD"), Money(amount=4, currency="USD")]) == Money(
        amount=7, currency="USD"
    )
    assert total_of(Money(amount=n) for n in (1, 2, 3)) == Money(amount=6)
    assert total_of(()) == Money(amount=0, currency="EUR")


def test_amounts_of_several_currencies_do_not_add_up() -> None:
    dollars, francs, euros = (Money(amount=1, currency=each) for each in ("USD", "CHF", "EUR"))
    with pytest.raises(ValueError, match="amounts in EUR, USD cannot be added"):
        total_of([dollars, euros])
    with pytest.raises(ValueError, match="CHF, EUR, USD cannot be added"):
        total_of([dollars, francs, euros])


def test_money_travels_as_an_amount_and_a_currency() -> None:
    assert _base.money_json(Money(amount=7, currency="CHF")) == {"amount": 7, "currency": "CHF"}


def test_what_is_kept_and_what_travels_is_frozen() -> None:
    for thing, name in (
        (Pebble(number=1), "number"),
        (Line(product_id="p", quantity=1), "quantity"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(thing, name, 2)


def test_a_row_of_a_later_version_is_read_and_a_message_with_unknown_fields_is_refused() -> None:
    assert Pebble.model_validate({"number": 1, "shape": "round"}) == Pebble(number=1)
    assert issubclass(Line, Payload)
    with pytest.raises(ValidationError, match="Extra inputs"):
        Line.model_validate({"product_id": "p", "quantity": 1, "price": 0})


def test_a_derived_id_is_the_start_of_a_sha_256_over_the_separated_parts() -> None:
    whole = hashlib.sha256(b"a\x1fb").hexdigest()
    assert digest("a", "b") == whole[:32]
    assert digest("a", "b", size=64) == whole
    assert digest("a", "b", size=1) == whole[:1]
    assert len({digest("ab"), digest("a", "b"), digest("b", "a"), digest("", "ab")}) == 4


def test_a_lone_surrogate_has_a_derived_id_of_its_own() -> None:
    assert digest("\ud800") != digest("\udfff")


def test_a_row_that_is_not_there_is_none(ports: Ports) -> None:
    assert read(ports, users.COLLECTION, "usr_1", "pebble", Pebble) is None

    def put(unit: Unit) -> None:
        unit.put("pebble", Pebble(number=3))

    transact(ports, users.COLLECTION, "usr_1", put)
    assert read(ports, users.COLLECTION, "usr_1", "pebble", Pebble) == Pebble(number=3)
    assert _base.now_text(ports) == rfc3339(ports.clock.now())


@dataclass
class Beach:
    """Is a store's listing of numbered pebbles, every third of which is red."""

    size: int
    page: int = 100
    asked: list[int] = field(default_factory=list)

    def query(self, after: str | None, most: int) -> Page:
        assert most > 0
        self.asked.append(most)
        start = int(after or 0)
        end = min(start + min(most, self.page), self.size)
        rows = tuple(
            Row(f"p{n}", "pebble", 1, {"number": n, "colour": "grey" if n % 3 else "red"})
            for n in range(start, end)
        )
        return Page(rows, str(end) if end < self.size else None)

    def red(self, limit: int, cursor: str | None = None) -> tuple[list[int], str | None]:
        found, following = gather(
            self.query, Pebble, lambda each: each.colour == "red", limit=limit, cursor=cursor
        )
        return [pebble.number for pebble in found], following


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("page", [1, 2, 100])
def test_a_filtered_listing_shows_each_row_once_whatever_the_page(limit: int, page: int) -> None:
    beach, shown, cursor = Beach(20, page), [], None
    for _ in range(20):
        found, cursor = beach.red(limit, cursor)
        assert len(found) == limit or cursor is None
        shown += found
        if cursor is None:
            break
    assert shown == [0, 3, 6, 9, 12, 15, 18]


def test_a_filtered_listing_asks_for_what_is_missing_and_stops_when_it_has_it() -> None:
    beach = Beach(20)
    assert beach.red(4) == ([0, 3, 6, 9], "10")
    assert beach.asked == [4, 2, 2, 1, 1]


def test_a_listing_of_nothing_is_empty_and_ends() -> None:
    assert Beach(0).red(5) == ([], None)


@pytest.mark.parametrize(("page", "read"), [(10, 1000), (7, 1001), (9, 1008)])
def test_a_filter_that_nothing_passes_gives_up_with_a_cursor_to_go_on_from(
    page: int, read: int
) -> None:
    beach = Beach(5000, page)
    found, cursor = gather(beach.query, Pebble, lambda _: False, limit=10, cursor=None)
    assert (found, cursor) == ([], str(read))
    assert len(beach.asked) == read // page
