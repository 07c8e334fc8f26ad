"""`shopctl dev --config` as a real process: mails leave over SMTP, and a trace is in its log."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx

from tests.e2e.test_cli_dev import serving
from tests.support.mail_server import NAME, mail_server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_served_shop_sends_its_mails_where_the_configuration_says(tmp_path: Path) -> None:
    with mail_server() as mailbox:
        config = tmp_path / "outside.toml"
        config.write_text(
            f'smtp_url = "{mailbox.plain_url}"\n'
            'mail_from = "The Shop <shop@example.org>"\n'
            f'allow_private = ["{NAME}"]\n',
            encoding="utf-8",
        )
        data = tmp_path / "data"
        with serving(tmp_path, data, "--port", "0", "--config", str(config)) as server:
            parent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
            with httpx.Client(base_url=server.url, timeout=20, headers=parent) as client:
                account = {"email": "ada@example.org", "password": "long enough a word"}
                made = client.post("/users/register", json={**account, "name": "Ada"})
                assert made.status_code == 201, made.text
                asked = client.post("/users/password-reset", json={"email": account["email"]})
                assert asked.status_code == 202, asked.text
            end = time.monotonic() + 15
            while not mailbox.mails() and time.monotonic() < end:
                time.sleep(0.05)
            assert server.end() == 0
            log = server.log.read_text(encoding="utf-8")
    (found,) = mailbox.mails()
    assert found.to == "ada@example.org"
    assert str(mailbox.taken[0]["From"]) == "The Shop <shop@example.org>"
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [line["trace_id"] for line in lines if line["event"] == "request"] == [TRACE, TRACE]
