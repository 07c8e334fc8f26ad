"""Stores on Azurite with an eye on each request, and a look at what lies in the tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient

from cartwheel.ports import Collection, Conflict, Index, Store, Write
from cartwheel_azure import TableStore, table_names
from tests.support.azurite import ACCOUNT

BOOKS = "books"
COLLECTIONS = {BOOKS: Collection(BOOKS, (Index("by_owner", "owner", sort="rank"),))}


class Crash(BaseException):
    """Stands for the end of the process."""


@dataclass
class ManualClock:
    """Is a clock that a test sets; it begins at the time of the emulator's machine."""

    time: float

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass(frozen=True)
class Sent:
    """Is a request as it went out."""

    method: str
    table: str
    body: bytes

    @property
    def is_commit(self) -> bool:
        """Tell whether it is a transaction on the table of the rows."""
        return self.method == "POST" and self.table == "cwbooks"


@dataclass
class Wire(RequestsTransport):  # type: ignore[misc]  # azure-core gives it no type
    """Is the SDK's own transport; `before` and `after` see each request and may raise."""

    before: Callable[[Sent], None] = lambda sent: None
    after: Callable[[Sent], None] = lambda sent: None
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def send(self, request: Any, **kwargs: Any) -> Any:
        body = request.content if isinstance(request.content, bytes) else b""
        sent = Sent(request.method, _table(request.url, body), body)
        self.sent.append(sent)
        self.before(sent)
        response = super().send(request, **kwargs)
        self.after(sent)
        return response


def _table(url: str, body: bytes) -> str:
    """Name the table of a request; that of a batch stands in its parts."""
    text = body.decode(errors="replace") if url.endswith("$batch") else url
    found = re.search(rf"/{ACCOUNT}/(\w+)", text)
    return found[1] if found else ""


def open_store(
    connection: str,
    clock: ManualClock,
    wire: Wire | None = None,
    collections: Mapping[str, Collection] = COLLECTIONS,
) -> TableStore:
    """Open a store of the books."""
    service = TableServiceClient.from_connection_string(connection, transport=wire or Wire())
    for name in table_names(collections):
        service.create_table_if_not_exists(name)
    if wire is not None:
        wire.sent.clear()
    return TableStore(service, collections, clock)


def entities(connection: str, table: str, where: str = "") -> list[dict[str, Any]]:
    """Give the entities of a table as they lie there."""
    client = TableServiceClient.from_connection_string(connection).get_table_client(table)
    return [dict(entity) for entity in client.query_entities(where)]


def wins(store: Store, partition: str, writes: Sequence[Write]) -> bool:
    """Commit to the books; False for a conflict."""
    try:
        store.commit(BOOKS, partition, writes)
    except Conflict:
        return False
    return True
