"""The rules of stock: counters, reservations and the ledger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwheel.ports import rfc3339
from cartwheel_shop.inventory import model
from cartwheel_shop.inventory.model import Account, Reservation, State, Stock

NOW = 1_767_225_600.0
LATER = NOW + model.RESERVATION_SECONDS + 1


def stocked(pieces: int = 5) -> Stock:
    return Stock().moved(Account.RECEIVED, Account.AVAILABLE, pieces)


def held(quantity: int = 2, pieces: int = 5) -> tuple[Stock, Reservation]:
    change = model.hold(stocked(pieces), "ord_1", "prd_1", quantity, NOW)
    return change.stock, change.reservation


def test_receiving_makes_pieces_available() -> None:
    assert stocked(5) == Stock(received=5, sequence=1)
    assert stocked(5).available == 5


def test_a_hold_takes_pieces_off_the_shelf_and_has_an_end() -> None:
    stock, reservation = held(2)
    assert (stock.available, stock.reserved) == (3, 2)
    assert reservation.state is State.HELD
    assert reservation.expires_at == rfc3339(NOW + 900)


def test_a_hold_beyond_what_is_available_is_out_of_stock_and_names_the_product() -> None:
    with pytest.raises(model.OutOfStock) as refused:
        model.hold(stocked(1), "ord_1", "prd_1", 2, NOW)
    assert refused.value.details == {"product_id": "prd_1", "requested": 2, "available": 1}


def test_selling_moves_reserved_pieces_to_sold_once() -> None:
    stock, reservation = held(2)
    change = model.sell(stock, reservation, NOW)
    assert change is not None
    assert (change.stock.reserved, change.stock.sold) == (0, 2)
    assert model.sell(change.stock, change.reservation, NOW) is None


def test_an_expired_reservation_is_sold_while_enough_is_available() -> None:
    stock, reservation = held(2)
    expired = model.expire(stock, reservation, LATER)
    assert expired is not None
    change = model.sell(expired.stock, expired.reservation, LATER)
    assert change is not None
    assert (change.stock.available, change.stock.sold) == (3, 2)


def test_an_expired_reservation_whose_pieces_are_gone_is_refused() -> None:
    stock, reservation = held(2, pieces=2)
    expired = model.expire(stock, reservation, LATER)
    assert expired is not None
    other = model.hold(expired.stock, "ord_2", "prd_1", 1, LATER)
    with pytest.raises(model.ReservationExpired):
        model.sell(other.stock, expired.reservation, LATER)


def test_a_reservation_does_not_expire_before_its_time_nor_after_it_was_sold() -> None:
    stock, reservation = held(2)
    assert model.expire(stock, reservation, NOW + 899) is None
    sold = model.sell(stock, reservation, NOW)
    assert sold is not None
    assert model.expire(sold.stock, sold.reservation, LATER) is None


@pytest.mark.parametrize("sold_first", [False, True])
def test_giving_back_puts_held_and_sold_pieces_on_the_shelf_once(sold_first: bool) -> None:
    stock, reservation = held(2)
    if sold_first:
        sold = model.sell(stock, reservation, NOW)
        assert sold is not None
        stock, reservation = sold.stock, sold.reservation
    back = model.give_back(stock, reservation, NOW, None)
    assert back is not None
    assert (back.stock.available, back.stock.reserved, back.stock.sold) == (5, 0, 0)
    assert model.give_back(back.stock, back.reservation, NOW, None) is None


def test_what_was_given_back_is_not_held_again() -> None:
    with pytest.raises(model.ReservationClosed):
        model.refuse_again(model.tombstone("ord_1", "prd_1", NOW, None))
    with pytest.raises(model.OutOfStock):
        model.refuse_again(model.tombstone("ord_1", "prd_1", NOW, "out_of_stock"))


def test_only_a_held_reservation_is_in_the_indexes() -> None:
    stock, reservation = held(2)
    assert (reservation.held, reservation.held_product) == ("held", "prd_1")
    sold = model.sell(stock, reservation, NOW)
    assert sold is not None
    assert (sold.reservation.held, sold.reservation.held_product) == (None, None)


def test_no_account_ever_falls_below_zero() -> None:
    with pytest.raises(ValueError, match="can't go from available to sold"):
        stocked(1).moved(Account.AVAILABLE, Account.SOLD, 2)
    with pytest.raises(ValueError, match="can't go from reserved to sold"):
        stocked(1).moved(Account.RESERVED, Account.SOLD, 1)


@given(st.lists(st.tuples(st.sampled_from(["hold", "sell", "back", "expire"]), st.integers(1, 4))))
def test_received_less_written_off_is_available_reserved_and_sold(
    steps: list[tuple[str, int]],
) -> None:
    stock = stocked(6)
    reservations: dict[str, Reservation] = {}
    ledger = dict.fromkeys(Account, 0)
    ledger[Account.AVAILABLE] = 6
    for number, (what, quantity) in enumerate(steps):
        order_id = f"ord_{quantity}"
        change: model.Change | None = None
        current = reservations.get(order_id)
        try:
            if what == "hold" and current is None:
                change = model.hold(stock, order_id, "prd_1", quantity, NOW + number)
            elif what == "sell" and current is not None:
                change = model.sell(stock, current, LATER)
            elif what == "back" and current is not None:
                change = model.give_back(stock, current, LATER, None)
            elif what == "expire" and current is not None:
                change = model.expire(stock, current, LATER + number)
        except (model.OutOfStock, model.ReservationExpired):
            continue
        if change is None:
            continue
        stock, reservations[order_id] = change.stock, change.reservation
        for movement in change.movements:
            ledger[movement.source] -= movement.quantity
            ledger[movement.target] += movement.quantity
        assert stock.received - stock.written_off == stock.available + stock.reserved + stock.sold
        assert ledger[Account.AVAILABLE] == stock.available
        assert ledger[Account.RESERVED] == stock.reserved
        assert ledger[Account.SOLD] == stock.sold
