"""Reservations over the memory store."""

from __future__ import annotations

import threading

import pytest

from cartwheel.ports import Ports
from cartwheel_memory import MemoryHost
from cartwheel_shop._base import Line
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import (
    Account,
    InsufficientStock,
    OutOfStock,
    ReservationClosed,
    ReservationExpired,
    State,
)


def receive(ports: Ports, product_id: str, pieces: int) -> None:
    inventory.move_stock(ports, f"receive:{product_id}", product_id, pieces, "receive")


def line(product_id: str, quantity: int) -> Line:
    return Line(product_id=product_id, quantity=quantity)


def test_stock_received_twice_under_one_key_is_received_once(ports: Ports) -> None:
    receive(ports, "p", 5)
    receive(ports, "p", 5)
    assert inventory.stock_level(ports, "p").received == 5
    assert len(inventory.ledger(ports, "p")) == 1


def test_no_more_is_written_off_than_is_available(ports: Ports) -> None:
    receive(ports, "p", 3)
    inventory.reserve(ports, "ord_1", [line("p", 2)])
    with pytest.raises(InsufficientStock):
        inventory.move_stock(ports, "w1", "p", 2, "write_off")
    level = inventory.move_stock(ports, "w2", "p", 1, "write_off")
    assert (level.received, level.written_off, level.available, level.reserved) == (3, 1, 0, 2)


def test_a_reservation_made_twice_holds_once(ports: Ports) -> None:
    receive(ports, "p", 5)
    first = inventory.reserve(ports, "ord_1", [line("p", 2)])
    assert inventory.reserve(ports, "ord_1", [line("p", 2)]) == first
    assert inventory.stock_level(ports, "p").reserved == 2


def test_lines_of_the_same_product_are_held_together(ports: Ports) -> None:
    receive(ports, "p", 5)
    inventory.reserve(ports, "ord_1", [line("p", 2), line("p", 1)])
    assert inventory.stock_level(ports, "p").reserved == 3


def test_one_missing_product_leaves_nothing_held(ports: Ports) -> None:
    receive(ports, "a", 5)
    receive(ports, "b", 1)
    with pytest.raises(OutOfStock) as refused:
        inventory.reserve(ports, "ord_1", [line("b", 2), line("a", 2)])
    assert refused.value.details["product_id"] == "b"
    assert inventory.stock_level(ports, "a").available == 5
    with pytest.raises(OutOfStock):
        inventory.reserve(ports, "ord_1", [line("a", 2)])


def test_a_product_that_was_never_stocked_is_out_of_stock(ports: Ports) -> None:
    with pytest.raises(OutOfStock):
        inventory.reserve(ports, "ord_1", [line("nothing", 1)])


def test_a_release_that_comes_first_refuses_the_late_reservation(ports: Ports) -> None:
    receive(ports, "p", 5)
    inventory.release(ports, "ord_1", [line("p", 2)])
    with pytest.raises(ReservationClosed):
        inventory.reserve(ports, "ord_1", [line("p", 2)])
    assert inventory.stock_level(ports, "p").available == 5


def test_a_release_undoes_a_sale_once(ports: Ports) -> None:
    receive(ports, "p", 5)
    lines = [line("p", 2)]
    inventory.reserve(ports, "ord_1", lines)
    inventory.commit(ports, "ord_1", lines)
    assert inventory.stock_level(ports, "p").sold == 2
    inventory.release(ports, "ord_1", lines)
    inventory.release(ports, "ord_1", lines)
    level = inventory.stock_level(ports, "p")
    assert (level.available, level.sold) == (5, 0)
    with pytest.raises(ReservationExpired):
        inventory.commit(ports, "ord_1", lines)


def test_an_expired_reservation_is_available_before_the_reaper_comes(host: MemoryHost) -> None:
    ports = host.ports
    receive(ports, "p", 2)
    inventory.reserve(ports, "ord_1", [line("p", 2)])
    with pytest.raises(OutOfStock):
        inventory.reserve(ports, "ord_2", [line("p", 1)])
    host.clock.advance(901)
    assert inventory.available(ports, "p") == 2
    inventory.reserve(ports, "ord_3", [line("p", 1)])
    first = inventory.reservation_of(ports, "ord_1", "p")
    assert first is not None
    assert first.state is State.EXPIRED


def test_the_reaper_ends_each_reservation_at_its_time(host: MemoryHost) -> None:
    ports = host.ports
    receive(ports, "p", 5)
    inventory.reserve(ports, "ord_1", [line("p", 2)])
    host.settle(600)
    inventory.reserve(ports, "ord_2", [line("p", 1)])
    host.settle(360)
    states = [
        reservation.state
        for order_id in ("ord_1", "ord_2")
        if (reservation := inventory.reservation_of(ports, order_id, "p")) is not None
    ]
    assert states == [State.EXPIRED, State.HELD]
    assert inventory.stock_level(ports, "p").available == 4


def test_the_reaper_leaves_what_was_sold(host: MemoryHost) -> None:
    ports = host.ports
    receive(ports, "p", 5)
    inventory.reserve(ports, "ord_1", [line("p", 2)])
    inventory.commit(ports, "ord_1", [line("p", 2)])
    host.settle(1000)
    assert inventory.reap(ports) == 0
    assert inventory.stock_level(ports, "p").sold == 2


def test_the_ledger_explains_every_counter(ports: Ports) -> None:
    receive(ports, "p", 9)
    for order_id, quantity in (("ord_1", 2), ("ord_2", 3), ("ord_3", 1)):
        inventory.reserve(ports, order_id, [line("p", quantity)])
    inventory.commit(ports, "ord_1", [line("p", 2)])
    inventory.release(ports, "ord_2", [line("p", 3)])
    inventory.move_stock(ports, "w", "p", 1, "write_off")
    balance = dict.fromkeys(Account, 0)
    for movement in inventory.ledger(ports, "p"):
        balance[movement.source] -= movement.quantity
        balance[movement.target] += movement.quantity
    level = inventory.stock_level(ports, "p")
    assert sum(balance.values()) == 0
    assert balance[Account.AVAILABLE] == level.available == 5
    assert balance[Account.RESERVED] == level.reserved == 1
    assert balance[Account.SOLD] == level.sold == 2
    assert balance[Account.WRITTEN_OFF] == level.written_off == 1
    assert -balance[Account.RECEIVED] == level.received == 9


def test_forty_buyers_share_ten_pieces_of_two_products_in_opposite_order(ports: Ports) -> None:
    for product_id in ("a", "b"):
        receive(ports, product_id, 10)
    got: list[str] = []
    refused: list[str] = []

    def buy(number: int) -> None:
        order_id = f"ord_{number}"
        lines = [line("a", 1), line("b", 1)]
        try:
            inventory.reserve(ports, order_id, lines if number % 2 else lines[::-1])
            got.append(order_id)
        except OutOfStock:
            refused.append(order_id)

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (10, 30)
    for product_id in ("a", "b"):
        level = inventory.stock_level(ports, product_id)
        assert (level.available, level.reserved) == (0, 10)


def test_missing_lists_the_products_that_fall_short(ports: Ports) -> None:
    receive(ports, "a", 1)
    assert inventory.missing(ports, [line("a", 1), line("b", 1)]) == ["b"]
