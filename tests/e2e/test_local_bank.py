"""The test bank's page on a served shop: the card's holder answers, and the checkout goes on."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel_local import LocalHost, serve
from cartwheel_workflows.shop import shop_app
from tests.support.shopping import Shopper, known, product


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LocalHost]:
    with LocalHost(shop_app(), HostOptions(data=tmp_path / "data", log=discard)) as opened:
        product(opened.ports, "prd_mug", stock=10, cents=1290)
        yield opened


@pytest.fixture
def url(host: LocalHost) -> Iterator[str]:
    ready, stop, found = threading.Event(), threading.Event(), list[str]()

    def listening(at: str) -> None:
        found.append(at)
        ready.set()

    server = threading.Thread(target=serve, args=(host,), kwargs={"ready": listening, "stop": stop})
    server.start()
    assert ready.wait(20)
    yield found[0]
    stop.set()
    server.join(20)


@pytest.fixture
def ada(host: LocalHost) -> Shopper:
    return known(host.dispatcher, "usr_ada")


def waiting(host: LocalHost, ada: Shopper) -> str:
    ada.fill_cart(("prd_mug", 1))
    answer: Any = ada.check_out("tok_requires_action").json()
    host.settle()
    return str(answer["order_id"])


@pytest.mark.parametrize(("answer", "status"), [("approve", "confirmed"), ("deny", "rejected")])
def test_the_cards_holder_answers_on_the_banks_page(
    host: LocalHost, url: str, ada: Shopper, answer: str, status: str
) -> None:
    order_id = waiting(host, ada)
    assert ada.get(f"/orders/{order_id}")["requires_action"]
    page = httpx.get(f"{url}/_bank").text
    assert "12.90 EUR" in page
    (action,) = re.findall(rf'action="([^"]+answer={answer})"', page)
    done = httpx.post(url + action.replace("&amp;", "&"))
    assert (done.status_code, done.headers["location"]) == (303, "/_bank")
    host.settle()
    assert ada.get(f"/orders/{order_id}")["status"] == status
    assert httpx.get(f"{url}/_bank.json").json() == {"waiting": []}
    assert httpx.post(url + action.replace("&amp;", "&")).status_code == 409


def test_the_bank_takes_no_answers_from_elsewhere(host: LocalHost, url: str, ada: Shopper) -> None:
    order_id = waiting(host, ada)
    (charge,) = httpx.get(f"{url}/_bank.json").json()["waiting"]
    target = f"{url}/_bank?charge={charge['charge_id']}&answer=approve"
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        assert httpx.post(target, headers=headers).status_code == 403
    assert httpx.post(f"{url}/_bank?charge=ch_9&answer=approve").status_code == 409
    assert httpx.post(f"{url}/_bank?charge=ch_9&answer=perhaps").status_code == 400
    assert httpx.delete(f"{url}/_bank").status_code == 405
    assert ada.get(f"/orders/{order_id}")["status"] == "processing"
