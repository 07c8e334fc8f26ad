"""Microsoft's emulator of Azure Storage, for as long as a context lasts."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.engines.azure._environments import AZURITE

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account's key, which the emulator's documentation publishes."""
SERVICES = ("blob", "queue", "table")
TRIES = 150


@contextmanager
def azurite() -> Iterator[str]:
    """Run the emulator in memory; gives a connection string. Skips the test when it is missing."""
    AZURITE.require()
    ports = dict(zip(SERVICES, _free_ports(len(SERVICES)), strict=True))
    listen = [
        word
        for service, port in ports.items()
        for word in (f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port))
    ]
    quiet = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    program = AZURITE.folder / "node_modules" / ".bin" / "azurite"
    process = subprocess.Popen(
        ["node", str(program), *quiet, *listen],
        cwd=AZURITE.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in ports.values():
            _await(process, port)
        endpoints = ";".join(
            f"{service.title()}Endpoint=http://127.0.0.1:{port}/{ACCOUNT}"
            for service, port in ports.items()
        )
        account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY}"
        yield f"{account};{endpoints}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    """Give ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(TRIES):
        assert process.poll() is None, f"Azurite ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Azurite does not listen")
