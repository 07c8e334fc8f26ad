"""A line to the emulator on which the reply to a commit that was applied gets lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cut_after_commit(connection: str, instead: bytes = b"") -> Iterator[tuple[str, list[int]]]:
    """Stand before the emulator and cut the line when it has applied a commit to rows.

    `instead` is sent in place of the reply.

    Gives a connection string, and a list that gets how many such commits came by.
    """
    place = connection.rpartition("TableEndpoint=http://")[2].partition("/")[0]
    host, port = place.split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    count: list[int] = []
    seen: list[int] = []

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection((host, int(port))) as server:
            while data := client.recv(1 << 20):
                request = data
                # The head and the body come in parts of their own.
                while b"\r\n\r\n" not in request or _missing(request):
                    request += client.recv(1 << 20)
                server.sendall(request)
                reply = server.recv(1 << 20)
                if b"/$batch" in request and b"cwbooks" in request:
                    count.append(1)
                    client.sendall(instead)
                    return
                while b"\r\n\r\n" not in reply or _missing(reply):
                    reply += server.recv(1 << 20)
                client.sendall(reply)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    own = f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield connection.replace(place, own), seen
    finally:
        seen.append(len(count))
        listener.close()


def _missing(message: bytes) -> bool:
    """Tell whether a part of a message's body is to come yet."""
    head, _, body = message.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        return not body.endswith(b"0\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
    return len(body) < (lengths[0] if lengths else 0)
