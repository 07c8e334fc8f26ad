"""The books of the test gateway over a Store, for adapters whose functions share nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from cartwheel.ports import Charge, ChargeStatus, Collection, Ports
from cartwheel.testgateway import Books, KeyUse
from cartwheel.unit import Unit, transact

T = TypeVar("T")

BOOKS = Collection("bank")
"""The collection of the books; nobody but the gateway touches it, as a real bank's."""
_PLACE = "books"
_CHARGE, _REFERENCE, _USE = "charge#", "reference#", "use#"


class _Charge(BaseModel):
    charge_id: str
    reference: str
    status: ChargeStatus
    amount: int
    currency: str
    captured: int
    refunded: int
    reason: str | None
    order: int
    """Microseconds of when it was made."""


class _Reference(BaseModel):
    charge_id: str


class _Use(BaseModel):
    request: str
    charge_id: str | None


class StoreBank:
    """Keeps the books in the collection BOOKS; `ports` gives the host's, without a hook."""

    def __init__(self, ports: Callable[[], Ports]) -> None:
        self._ports = ports

    def transact(self, work: Callable[[Books], T]) -> T:
        """Do `work` on the books as nobody else changes them, and keep what it wrote."""
        ports = self._ports()
        found: list[T] = []

        def attempt(unit: Unit) -> None:
            draft = _Draft(unit, ports)
            # The last try is the one that was committed.
            found[:] = [work(draft)]

        transact(ports, BOOKS.name, _PLACE, attempt)
        return found[0]

    def charges(self) -> tuple[Charge, ...]:
        """Give all charges, oldest first."""
        rows = Unit(self._ports(), BOOKS.name, _PLACE).scan(_CHARGE, _Charge).values()
        return tuple(_shown(row) for row in sorted(rows, key=lambda row: row.order))


class _Draft:
    """Is one transaction on the books."""

    def __init__(self, unit: Unit, ports: Ports) -> None:
        self._unit = unit
        self._ports = ports

    def charge(self, charge_id: str) -> Charge | None:
        row = self._unit.get(_key(_CHARGE, charge_id), _Charge)
        return None if row is None else _shown(row)

    def under(self, reference: str) -> Charge | None:
        latest = self._unit.get(_key(_REFERENCE, reference), _Reference)
        return None if latest is None else self.charge(latest.charge_id)

    def keep(self, charge: Charge) -> None:
        key = _key(_CHARGE, charge.charge_id)
        before = self._unit.get(key, _Charge)
        if before is None:
            reference = _key(_REFERENCE, charge.reference)
            self._unit.get(reference, _Reference)
            self._unit.put(reference, _Reference(charge_id=charge.charge_id))
        order = int(self._ports.clock.now() * 1_000_000) if before is None else before.order
        self._unit.put(key, _written(charge, order))

    def new_charge_id(self) -> str:
        return self._ports.ids.new("ch")

    def use_of(self, key: str) -> KeyUse | None:
        use = self._unit.get(_key(_USE, key), _Use)
        return None if use is None else KeyUse(use.request, use.charge_id)

    def note_use(self, key: str, use: KeyUse) -> None:
        self._unit.put(_key(_USE, key), _Use(request=use.request, charge_id=use.charge_id))


def _key(kind: str, name: str) -> str:
    return kind + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _shown(row: _Charge) -> Charge:
    return Charge(
        charge_id=row.charge_id,
        reference=row.reference,
        status=row.status,
        amount=row.amount,
        currency=row.currency,
        captured=row.captured,
        refunded=row.refunded,
        reason=row.reason,
    )


def _written(charge: Charge, order: int) -> _Charge:
    return _Charge(
        charge_id=charge.charge_id,
        reference=charge.reference,
        status=charge.status,
        amount=charge.amount,
        currency=charge.currency,
        captured=charge.captured,
        refunded=charge.refunded,
        reason=charge.reason,
        order=order,
    )
