"""Idempotency keys: a request that is sent again has one effect and gets the first answer.

One row per route, caller and key says how far the request is: in progress under a lease, done with
its answer, or in doubt. Whoever takes a request over after a crash writes the row anew, so that
its version fences out the one that was thought dead.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel

from cartwheel.http._messages import Request, Response
from cartwheel.http._problems import (
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    RequestInProgress,
)
from cartwheel.http._strict_json import canonical
from cartwheel.ports import (
    Collection,
    Conflict,
    InvalidWrite,
    Json,
    Ports,
    Put,
    Unavailable,
)
from cartwheel.unit import OUTBOX_INDEX

IDEMPOTENCY = Collection("idempotency", (OUTBOX_INDEX,))
"""Where requests with a key are kept; an App with such a route has it by itself."""
KEPT_SECONDS = 24 * 60 * 60
"""How long an answer is replayed; afterwards the key counts as new."""
LEASE_SECONDS = 60
"""How long a request may be in progress before it is taken for dead (gateways end at 29 s)."""
NOT_STORED = frozenset({401, 403, 408, 429})
"""Refusals that say nothing about the request itself: the same key may run again."""
TRIES = 5
"""Commits tried while the store does not answer."""

ROW = "request"
"""The key of the one row in a request's partition."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_FIRST_WAIT = 0.005

R = TypeVar("R")


class State(StrEnum):
    """Says how far a request is."""

    IN_PROGRESS = "in_progress"
    DONE = "done"
    IN_DOUBT = "in_doubt"


class Answer(BaseModel):
    """Is an answer as it is kept; the body in Base64."""

    status: int
    headers: dict[str, str]
    body: str


class Record(BaseModel):
    """Is the row of a request with a key."""

    request: str
    """A hash of method, path, query and body."""
    state: State
    owner: str
    fence: int
    lease_until: int
    """Milliseconds since the epoch, as is `expires_at`."""
    expires_at: int
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Is the right to work on a request, until somebody else takes it over."""

    partition: str
    record: Record
    version: int


def idempotency_key(request: Request) -> str:
    """Read the Idempotency-Key header; raises the problem that fits."""
    values = request.headers.get("idempotency-key", ())
    if not values:
        raise IdempotencyKeyMissing(
            "send an Idempotency-Key header with a value of your own, the same one when you try "
            "the same request again"
        )
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise IdempotencyKeyMalformed(
            "the Idempotency-Key is one value of 1 to 255 visible ASCII characters"
        )
    return values[0]


def request_hash(request: Request, body: Json) -> str:
    """Hash what makes two requests the same: method, path, query and what the body says."""
    query: Json = {name: list(values) for name, values in request.query.items()}
    return _hash(canonical([request.method, request.path, query, body]))


def partition_of(route: str, subject: str, key: str) -> str:
    """Give the partition that keeps a caller's request."""
    return _hash(canonical([route, subject, key]))


def context_key(route: str, subject: str, key: str) -> str:
    """Give the key from which the handler of a request derives its ids."""
    return f"{route}:{_hash(canonical([subject, key]))[:32]}"


class IdempotencyGuard:
    """Grants requests to one worker at a time and replays their answers."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def begin(self, route: str, subject: str, key: str, fingerprint: str) -> Grant | Response:
        """Grant the request, or give the answer it had.

        Raises IdempotencyKeyReused for another request's key, RequestInProgress while somebody
        works on it, and Unavailable when the store does not answer.
        """
        partition = partition_of(route, subject, key)
        owner = self._ports.ids.token(16)

        def attempt() -> Grant | Response:
            return self._take(partition, owner, fingerprint)

        return self._persist(attempt)

    def _take(self, partition: str, owner: str, fingerprint: str) -> Grant | Response:
        now = int(self._ports.clock.now() * 1000)
        version, found = self._read(partition)
        fence = 1
        if found is not None:
            fence = found.fence + 1
            if found.owner == owner:
                # The commit was applied, and only its reply was lost.
                return Grant(partition, found, version)
            if now < found.expires_at:
                if found.request != fingerprint:
                    raise IdempotencyKeyReused(
                        "this Idempotency-Key came with another request before; use a new key"
                    )
                if found.answer is not None:
                    return _replay(found.answer)
                if found.state is State.IN_PROGRESS and now < found.lease_until:
                    raise RequestInProgress("the same request is being worked on; ask again")
        record = Record(
            request=fingerprint,
            state=State.IN_PROGRESS,
            owner=owner,
            fence=fence,
            lease_until=now + LEASE_SECONDS * 1000,
            expires_at=now + KEPT_SECONDS * 1000,
        )
        self._write(partition, record, version)
        return Grant(partition, record, version + 1)

    def finish(self, grant: Grant, response: Response) -> Response:
        """Record the answer and give it; when another worker took over, give what that one has.

        An answer that can't be recorded is still the answer: the handler did its work under a
        key of its own, so a later request with the same key comes to the same.
        """
        answer = Answer(
            status=response.status,
            headers=dict(response.headers),
            body=base64.b64encode(response.body).decode(),
        )
        record = grant.record.model_copy(update={"state": State.DONE, "answer": answer})
        try:
            return self._record(grant, record, response)
        except InvalidWrite:
            # Too large for a row: the request stays repeatable instead of replayable.
            self.leave_in_doubt(grant)
            return response
        except Unavailable:
            return response

    def _record(self, grant: Grant, record: Record, response: Response) -> Response:
        def attempt() -> Response:
            version, found = self._read(grant.partition)
            if found is None or found.owner != grant.record.owner:
                return self._overtaken(found)
            if found.answer is None:
                self._write(grant.partition, record, version)
            return response

        try:
            self._write(grant.partition, record, grant.version)
        except (Conflict, Unavailable):
            return self._persist(attempt)
        return response

    def leave_in_doubt(self, grant: Grant) -> None:
        """Let the same key run again at once: nobody knows what this try did.

        Where that can't be written, the lease runs out by itself.
        """
        record = grant.record.model_copy(update={"state": State.IN_DOUBT})
        try:
            self._write(grant.partition, record, grant.version)
        except (Conflict, Unavailable):
            return

    def _overtaken(self, found: Record | None) -> Response:
        if found is not None and found.answer is not None:
            return _replay(found.answer)
        raise RequestInProgress("another try of the same request took over; ask again")

    def _persist(self, attempt: Callable[[], R]) -> R:
        """Do it until the store answers; each try reads what the one before has left."""
        for number in range(TRIES):
            if number:
                self._ports.clock.sleep(_FIRST_WAIT * 2**number)
            try:
                return attempt()
            except (Conflict, Unavailable):
                continue
        raise Unavailable(f"{IDEMPOTENCY.name}: no answer in {TRIES} tries")

    def _read(self, partition: str) -> tuple[int, Record | None]:
        row = self._ports.store.get(IDEMPOTENCY.name, partition, ROW)
        if row is None:
            return 0, None
        return row.version, Record.model_validate(row.data)

    def _write(self, partition: str, record: Record, expect: int) -> None:
        data = record.model_dump(mode="json")
        self._ports.store.commit(IDEMPOTENCY.name, partition, [Put(ROW, data, expect)])


def is_definite(status: int) -> bool:
    """Tell whether an answer is the request's own and can be replayed."""
    return status < 500 and status not in NOT_STORED


def _replay(answer: Answer) -> Response:
    headers = {**answer.headers, "Idempotency-Replayed": "true"}
    return Response(answer.status, headers, base64.b64decode(answer.body))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
