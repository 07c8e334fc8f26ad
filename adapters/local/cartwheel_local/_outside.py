"""What lies outside: the mailbox, the box for text messages, the bank."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from cartwheel.ports import Charge, ChargeStatus, Clock, Mail, TextMessage
from cartwheel.testgateway import Books, KeyUse
from cartwheel_local._database import Connection, Database

T = TypeVar("T")


class SqliteMailer:
    """Puts mails into the mailbox, each id once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def send(self, mail: Mail) -> None:
        """Keep the mail unless it was sent before."""
        values = (mail.id, mail.to, mail.subject, mail.text, mail.html, self._clock.now())
        self._database.writer.run(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO mails (id, recipient, subject, text, html, at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
        )


class SqliteSms:
    """Puts text messages into their box, each id once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def send(self, message: TextMessage) -> None:
        """Keep the message unless it was sent before."""
        values = (message.id, message.to, message.text, self._clock.now())
        self._database.writer.run(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO texts (id, recipient, text, at) VALUES (?, ?, ?, ?)", values
            )
        )


class SqliteMailbox:
    """Shows what was sent, oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mails(self) -> tuple[Mail, ...]:
        """Give all mails."""
        found = self._database.rows(
            "SELECT id, recipient, subject, text, html FROM mails ORDER BY place"
        )
        return tuple(
            Mail(*row) for row in cast("list[tuple[str, str, str, str, str | None]]", found)
        )

    def texts(self) -> tuple[TextMessage, ...]:
        """Give all text messages."""
        found = self._database.rows("SELECT id, recipient, text FROM texts ORDER BY place")
        return tuple(TextMessage(*row) for row in cast("list[tuple[str, str, str]]", found))


_CHARGE = "SELECT charge_id, reference, status, amount, currency, captured, refunded, reason"


class SqliteBank:
    """Keeps the test gateway's books in a file of their own, as a real gateway's are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transact(self, work: Callable[[Books], T]) -> T:
        """Do `work` alone on the books and keep what it wrote; nothing of it when it raises."""
        return self._database.writer.run(lambda connection: work(_SqliteBooks(connection)))

    def charges(self) -> tuple[Charge, ...]:
        """Give all charges, oldest first."""
        return tuple(map(_charge, self._database.rows(f"{_CHARGE} FROM charges ORDER BY place")))


class _SqliteBooks:
    """Is one transaction on the books."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def charge(self, charge_id: str) -> Charge | None:
        return self._one("WHERE charge_id = ?", charge_id)

    def under(self, reference: str) -> Charge | None:
        return self._one("WHERE reference = ? ORDER BY place DESC LIMIT 1", reference)

    def _one(self, where: str, value: str) -> Charge | None:
        sql = f"{_CHARGE} FROM charges {where}"
        found = self._connection.execute(sql, (value,)).fetchone()
        return None if found is None else _charge(found)

    def keep(self, charge: Charge) -> None:
        self._connection.execute(
            "INSERT INTO charges (charge_id, reference, status, amount, currency, captured, "
            "refunded, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (charge_id) DO UPDATE "
            "SET status = excluded.status, captured = excluded.captured, "
            "refunded = excluded.refunded, reason = excluded.reason",
            (
                charge.charge_id,
                charge.reference,
                charge.status.value,
                charge.amount,
                charge.currency,
                charge.captured,
                charge.refunded,
                charge.reason,
            ),
        )

    def new_charge_id(self) -> str:
        count = self._connection.execute("SELECT count(*) FROM charges").fetchone()[0]
        return f"ch_{count + 1:06d}"

    def use_of(self, key: str) -> KeyUse | None:
        found = self._connection.execute(
            "SELECT request, charge_id FROM uses WHERE key = ?", (key,)
        ).fetchone()
        return None if found is None else KeyUse(*found)

    def note_use(self, key: str, use: KeyUse) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO uses (key, request, charge_id) VALUES (?, ?, ?)",
            (key, use.request, use.charge_id),
        )


def _charge(row: tuple[object, ...]) -> Charge:
    charge_id, reference, status, amount, currency, captured, refunded, reason = cast(
        "tuple[str, str, str, int, str, int, int, str | None]", row
    )
    return Charge(
        charge_id, reference, ChargeStatus(status), amount, currency, captured, refunded, reason
    )
