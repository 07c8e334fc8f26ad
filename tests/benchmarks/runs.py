"""What a workflow run costs, in memory and on SQLite."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.runs import DurableRuntime
from cartwheel_local import LocalHost
from cartwheel_memory import MemoryHost
from tests.benchmarks._five import STEPS, app
from tests.benchmarks._table import Figure, median_of, paired, seconds

IN_FLIGHT = 64
_ids = itertools.count()


def in_memory() -> Figure:
    """Run five steps on the memory adapter: JSON isolation and history kept."""
    host = MemoryHost(app, HostOptions(log=discard))

    def starts() -> None:
        for _ in range(500):
            host.ports.workflows.start("five", f"r{next(_ids)}", {"n": 1})

    def batch() -> float:
        return seconds(starts) / 500

    cost = median_of(7, batch) * 1e6
    return Figure(
        "five-step workflow in memory", f"{cost:.0f} us", "<= 100 us (stretch 40)", cost <= 100
    )


@contextmanager
def local_host() -> Iterator[tuple[LocalHost, DurableRuntime]]:
    """Open the application on SQLite in a folder of its own."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        LocalHost(app, HostOptions(data=Path(folder), log=discard)) as host,
    ):
        runtime = host.ports.workflows
        assert isinstance(runtime, DurableRuntime)
        yield host, runtime


def one_in_flight() -> Figure:
    """Compare one run at a time with the commits that it has to wait for."""
    with local_host() as (host, runtime), tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        bare = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE t (a TEXT)")

        def commit_some() -> None:
            for _ in range(200):
                bare.execute("BEGIN IMMEDIATE")
                bare.execute("INSERT INTO t VALUES (?)", ("x" * 200,))
                bare.execute("COMMIT")

        def run_some() -> None:
            for _ in range(50):
                run_id = f"r{next(_ids)}"
                runtime.start("five", run_id, {"n": 1})
                _await(host, run_id)

        before = host.database.writer.commits
        run_some()
        per_run = (host.database.writer.commits - before) / 50
        commit, run = paired(7, lambda: seconds(commit_some) / 200, lambda: seconds(run_some) / 50)
        bare.close()
    ratio = run / (per_run * commit)
    return Figure(
        "local, one in flight, against its commits",
        f"{run * 1e6:.0f} us / ({per_run:.1f} commits x {commit * 1e6:.0f} us) = {ratio:.2f}",
        "<= 1.5",
        ratio <= 1.5,
    )


def _await(host: LocalHost, run_id: str) -> None:
    active = host.engine.active(run_id)
    if active is not None:
        active.wait()


def many_in_flight() -> list[Figure]:
    """Count runs a second with 64 in flight, and DBOS's on SQLite in a process of its own."""
    count = 6400
    with local_host() as (host, runtime):

        def client(batches: int, size: int) -> None:
            for _ in range(batches):
                ids = [f"r{next(_ids)}" for _ in range(size)]
                runtime.start_many("five", {run_id: {"n": 1} for run_id in ids})
                for run_id in ids:
                    _await(host, run_id)

        def wave() -> None:
            work = (count // IN_FLIGHT, IN_FLIGHT // 2)
            threads = [threading.Thread(target=client, args=work) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        before = host.database.writer.commits
        rate = count / median_of(3, lambda: seconds(wave))
        batch = 4 * count * (STEPS + 1) / (host.database.writer.commits - before)
    ours = Figure(
        f"local, {IN_FLIGHT} in flight, synchronous=FULL",
        f"{rate:.0f} workflows/s ({batch:.0f} records a commit)",
        ">= 5,000/s",
        rate >= 5000,
    )
    return [ours, *_dbos(rate)]


def _dbos(rate: float) -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.dbos_peer", folder, str(IN_FLIGHT)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return [Figure("DBOS on SQLite", f"not measured: {reason[0]}")]
    found = json.loads(done.stdout.splitlines()[-1])
    return [
        Figure(
            f"DBOS {found['version']} on SQLite, {IN_FLIGHT} in flight, synchronous="
            f"{found['synchronous']}",
            f"{found['many']:.0f} workflows/s; ours is {rate / found['many']:.1f} x",
        ),
        Figure("DBOS on SQLite, one in flight", f"{found['one'] * 1e6:.0f} us"),
    ]
