"""Runs the same five steps on DBOS over SQLite; prints one JSON line. A process of its own."""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dbos import DBOS  # type: ignore[import-not-found,unused-ignore]  # only `make bench` installs it


@DBOS.step()  # type: ignore[untyped-decorator,unused-ignore]  # untyped where not installed
def add(n: int) -> int:
    return n + 1


@DBOS.workflow()  # type: ignore[untyped-decorator,unused-ignore]  # same
def five(n: int) -> int:
    for _ in range(5):
        n = add(n)
    return n


def main(folder: str, in_flight: int) -> None:
    path = Path(folder) / "dbos.sqlite"
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    for _ in range(20):
        five(1)
    ones = []
    for _ in range(100):
        began = time.perf_counter()
        five(1)
        ones.append(time.perf_counter() - began)
    count = in_flight * 2
    began = time.perf_counter()
    flying: list[Any] = []
    for _ in range(count):
        if len(flying) == in_flight:
            flying.pop(0).get_result()
        flying.append(DBOS.start_workflow(five, 1))
    for handle in flying:
        handle.get_result()
    rate = count / (time.perf_counter() - began)
    print(
        json.dumps(
            {
                "version": version("dbos"),
                "one": statistics.median(ones),
                "many": rate,
                "synchronous": _synchronous(),
            }
        )
    )
    DBOS.destroy()


def _synchronous() -> str:
    """Ask DBOS's own engine how it syncs; the pragma belongs to its connections."""
    from dbos._dbos import (  # type: ignore[import-not-found,unused-ignore]  # as above
        _get_dbos_instance,
    )

    engine = _get_dbos_instance()._sys_db.engine
    with engine.connect() as connection:
        value = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    return f"{['OFF', 'NORMAL', 'FULL', 'EXTRA'][int(str(value))]}/{mode}"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
