"""What lies outside: the mailbox, the box for text messages, the bank, secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from cartwheel.ports import Charge, Mail, Secret, SecretNotFound, TextMessage
from cartwheel.testgateway import Books, KeyUse
from cartwheel_memory._disk import Accounts, MemoryDisk

T = TypeVar("T")

OWN_KEYS = "_signing_key"
"""Secrets of this ending are the application's own, so the adapter makes them."""


class MemoryMailer:
    """Puts mails into the mailbox, each id once."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def send(self, mail: Mail) -> None:
        """Keep the mail unless it was sent before."""
        with self._disk.lock:
            self._disk.mails.setdefault(mail.id, mail)


class MemorySms:
    """Puts text messages into their box, each id once."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def send(self, message: TextMessage) -> None:
        """Keep the message unless it was sent before."""
        with self._disk.lock:
            self._disk.texts.setdefault(message.id, message)


class MemoryMailbox:
    """Shows what was sent, oldest first."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def mails(self) -> tuple[Mail, ...]:
        """Give all mails."""
        with self._disk.lock:
            return tuple(self._disk.mails.values())

    def texts(self) -> tuple[TextMessage, ...]:
        """Give all text messages."""
        with self._disk.lock:
            return tuple(self._disk.texts.values())


class MemoryBank:
    """Keeps the test gateway's books, apart from the shop's rows."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def transact(self, work: Callable[[Books], T]) -> T:
        """Do `work` alone on the books; what it wrote is kept only when it returns."""
        with self._disk.bank_lock:
            draft = _Draft(self._disk.accounts)
            result = work(draft)
            draft.keep_all()
            return result

    def charges(self) -> tuple[Charge, ...]:
        """Give all charges, oldest first."""
        with self._disk.bank_lock:
            return tuple(self._disk.accounts.charges.values())


class _Draft:
    """Is one transaction on the books."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._charges: dict[str, Charge] = {}
        self._uses: dict[str, KeyUse] = {}

    def charge(self, charge_id: str) -> Charge | None:
        return self._charges.get(charge_id) or self._accounts.charges.get(charge_id)

    def under(self, reference: str) -> Charge | None:
        charge_id = self._accounts.references.get(reference)
        return None if charge_id is None else self._accounts.charges[charge_id]

    def keep(self, charge: Charge) -> None:
        self._charges[charge.charge_id] = charge

    def new_charge_id(self) -> str:
        return f"ch_{len(self._accounts.charges) + len(self._charges) + 1:06d}"

    def use_of(self, key: str) -> KeyUse | None:
        return self._uses.get(key) or self._accounts.uses.get(key)

    def note_use(self, key: str, use: KeyUse) -> None:
        self._uses[key] = use

    def keep_all(self) -> None:
        for charge_id, charge in self._charges.items():
            if charge_id not in self._accounts.charges:
                self._accounts.references[charge.reference] = charge_id
            self._accounts.charges[charge_id] = charge
        self._accounts.uses.update(self._uses)


class MemorySecrets:
    """Gives the secrets that the host was opened with; keys of our own are the same in each run."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = dict(given)

    def get(self, name: str) -> Secret:
        """Give a secret."""
        value = self._given.get(name)
        if value is not None:
            return Secret(value)
        if name.endswith(OWN_KEYS):
            return Secret(hashlib.sha256(f"memory adapter: {name}".encode()).hexdigest())
        raise SecretNotFound(name, f"pass HostOptions(secrets={{'{name}': ...}})")
