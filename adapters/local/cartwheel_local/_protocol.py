"""uvicorn's HTTP/1.1 protocol with a bound on how long a request's head may take."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""How long a client may take to send a request's head; uvicorn itself waits for ever."""


class PatientProtocol(H11Protocol):
    """Closes a connection on which a request's head does not arrive in time."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as in the class it derives from
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for the first request's head."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that is still not complete keeps its timer."""
        if self._awaits_head and self._head_timer is None:
            self._wait_for_head()
        super().data_received(data)
        if not self._awaits_head:
            self._forget_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget_timer()
        super().connection_lost(exc)

    @property
    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._awaits_head and not self.transport.is_closing():
            self.transport.close()
