"""`shopctl demo`: the whole day on a real server, and what it leaves when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.engines import require

require("POSIX signals", os.name == "posix", "run this on Linux or macOS")

DEMO = [sys.executable, "-m", "shopctl", "demo"]


def test_the_day_ends_with_all_books_right_and_within_a_minute(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [*DEMO, "--json", "--data", str(tmp_path / "day")],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert time.monotonic() - began < 60
    day = json.loads(done.stdout)
    assert day["ok"] is True
    assert len(day["checks"]) == 12
    assert all(check["holds"] for check in day["checks"])
    statuses = [order["status"] for order in day["orders"]]
    # Ada, three racers, Carol, Erin; Bob, five racers, Dave; Ada's umbrella.
    assert statuses.count("confirmed") >= 6
    assert statuses.count("rejected") == 7
    assert statuses.count("cancelled") == 1
    assert sum(payment["captured"] > 0 for payment in day["payments"]) >= 7
    assert len({mail["id"] for mail in day["mails"]}) == len(day["mails"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_day_leaves_no_server_behind(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*DEMO, "--data", str(tmp_path / "day")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        while "A server of its own" not in demo.stdout.readline():
            assert demo.poll() is None
        server = int((tmp_path / "day" / "lock").read_text(encoding="ascii"))
        os.kill(server, 0)
        demo.send_signal(number)
        assert demo.wait(30) == 130
        assert demo.stderr.read() == "interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def test_the_story_is_told_on_standard_output(tmp_path: Path) -> None:
    done = subprocess.run(
        DEMO, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=110
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    for words in ("Ada buys", "SIGKILL", "Orders", "Stock that moved", "charges", "Mails"):
        assert words in done.stdout
    assert done.stdout.count("✓") == 12
    assert "✗" not in done.stdout
    assert done.stderr == ""
