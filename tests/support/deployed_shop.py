"""The shop on ministack, deployed by `shopctl deploy`, and the demo's day on it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import pytest
from boto3.session import Session

from cartwheel.access import KEEPER
from cartwheel.deployment import Access
from cartwheel.dispatch import SWEEPER
from cartwheel.host import HostOptions
from cartwheel.log import discard
from cartwheel.plugins import load_adapter
from cartwheel.ports import Charge, JsonObject, Mail, RunStatus
from cartwheel.testgateway import WEBHOOK_KEY, WEBHOOK_PATH, webhook_of
from cartwheel_aws._clients import Clients
from cartwheel_aws._host import SENDER, AwsHost
from cartwheel_aws._names import Names
from cartwheel_shop.seed import seed
from cartwheel_shop.users import _tokens
from cartwheel_workflows.shop import shop_app
from shopctl._demo._client import Client, Order
from shopctl._demo._stage import Check, Crash, Records, Words, steps_of
from tests.engines.aws._processes import REGION, Process
from tests.support.books import unbooked, wrong_in
from tests.support.engines import require
from tests.support.ministack import start_ministack

T = TypeVar("T")

STAGE = "test"
NAMES = Names("shop", STAGE)
MAILS_FROM = "Köder & Söhne <shop@example.com>"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
PATIENCE = 60.0
SWEEP_AFTER = 4.0
PAUSE = 0.1
"""Seconds between two looks, each of which is an invocation."""


def awaited(what: str, look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Look until there is something to see; fails with `what` when there is nothing in time."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        time.sleep(PAUSE)
    return found


class DeployedShop:
    """Is the shop at a stage on ministack, for customers by its URL, for operators by its host."""

    def __init__(self, process: Process, url: str, host: AwsHost, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.url = url
        self.host = host
        session = Session(region_name=REGION)
        self.lambdas = session.client("lambda")
        self.sqs = session.client("sqs")
        self.sns = session.client("sns")
        self.logs = session.client("logs")
        self.deployed_at = time.monotonic()

    # As a customer, as staff, as the bank.

    def caller(self, user_id: str, role: str = "customer") -> Client:
        """Give somebody with a token of their own, without the cost of a password."""
        return Client(self.url, _tokens.issue(self.host.ports, user_id, role), PAUSE)

    def bank_tells(self, charge: Charge) -> int:
        """Send the shop the bank's webhook about a charge and give the answer's status."""
        ports = self.host.ports
        headers, body = webhook_of(charge, ports.secrets.get(WEBHOOK_KEY), ports.clock.now())
        netloc = self.url.partition("//")[2]
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{self.process.url}{WEBHOOK_PATH}", body, {**headers, "Host": netloc}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310  # same
            return int(answer.status)

    # As the provider.

    def tick(self, service: str, schedule: str) -> None:
        """Call a function as its schedule does."""
        payload = json.dumps({"schedule": schedule})
        answer = self.lambdas.invoke(FunctionName=NAMES.function(service), Payload=payload.encode())
        assert "FunctionError" not in answer, answer["Payload"].read()

    def order_crash(self, task: str, table: str, when: str) -> None:
        """Have the process of a task's function killed at its next write to a table."""
        told = {
            "function": NAMES.function(task.partition(".")[0]),
            "task": task,
            "table": NAMES.table(table),
            "when": when,
        }
        half = self._crash.with_suffix(".part")
        half.write_text(json.dumps(told))
        half.rename(self._crash)

    def wait_for_crash(self) -> None:
        """Wait until the crash has happened that was ordered."""
        awaited("the crash", lambda: not self._crash.exists())

    @property
    def _crash(self) -> Path:
        return Path(self.process.folder.name, "crash.json")

    def queues(self) -> dict[str, int]:
        """Count what lies in the stage's queues, by their names; empty ones are left out."""
        urls = self.sqs.list_queues(QueueNamePrefix=NAMES.prefix).get("QueueUrls", [])
        counts = {url.rpartition("/")[2]: self._lying(url) for url in urls}
        return {name: count for name, count in counts.items() if count}

    def _lying(self, url: str) -> int:
        asked = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return sum(
            int(value)
            for name, value in asked["Attributes"].items()
            if name.startswith("ApproximateNumberOfMessages")
        )

    def mails(self) -> tuple[Mail, ...]:
        """Give the mails that SES was handed; it keeps its own ids of them, and not ours."""
        with urllib.request.urlopen(  # noqa: S310  # loopback
            f"{self.process.url}/_ministack/ses/messages", timeout=PATIENCE
        ) as answer:
            told = json.loads(answer.read())["messages"]
        found = [mail for mails in told.values() for mail in mails]
        return tuple(
            Mail(one["MessageId"], one["To"][0], one["Subject"], one["BodyText"]) for one in found
        )

    # As the auditor.

    def wrong(self, products: Sequence[str]) -> list[str]:
        """List what is wrong in the books now."""
        left = [f"{count} in {name}" for name, count in self.queues().items()]
        return left + wrong_in(self.host, products) + unbooked(self.host)

    def at_rest(self, *products: str) -> None:
        """Wait until all work is done; fails unless every book is right then.

        The sweeper of outboxes is called every few seconds, instead of once a minute.
        """
        began = swept = time.monotonic()
        while wrong := self.wrong(products):
            now = time.monotonic()
            assert now - began < PATIENCE, wrong
            if now - swept > SWEEP_AFTER:
                self.tick(KEEPER, SWEEPER)
                swept = now
            time.sleep(PAUSE)


@contextmanager
def deployed_shop(folder: Path) -> Iterator[DeployedShop]:
    """Start ministack, deploy the shop with `shopctl deploy`, and open it beside."""
    machine = platform.machine()
    require("a machine like Lambda's", machine in ARCHITECTURES, "x86_64 or aarch64")
    process = start_ministack(functions=True)
    given = {
        "AWS_ENDPOINT_URL": process.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        SENDER: MAILS_FROM,
    }
    try:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in given.items():
                environment.setenv(name, value)
            # An operator has SES verify the sender before anything is sent.
            Clients(REGION).sesv2.create_email_identity(EmailIdentity="example.com")
            told = shopctl(folder, "deploy", "--architecture", ARCHITECTURES[machine], "--yes")
            outputs = cast("dict[str, str]", told["outputs"])
            options = HostOptions(log=discard, access=Access(STAGE))
            opened = load_adapter("aws").open(shop_app(), options)
            assert isinstance(opened, AwsHost)
            with opened as host:
                yield DeployedShop(process, outputs["url"], host, folder)
    finally:
        process.stop()


def shopctl(folder: Path, *words: str, given: str = "") -> JsonObject:
    """Run a command on the stage and give the document that it prints."""
    stage = ["--provider", "aws", "--stage", STAGE, "--app", "cartwheel_workflows.shop:app"]
    done = subprocess.run(
        [sys.executable, "-m", "shopctl", *words, *stage, "--json"],
        cwd=folder,
        input=given,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=PATIENCE * 2,
    )
    silent = "package index does not answer" in done.stderr
    require("a package index", not silent, done.stderr[-300:])
    assert done.returncode == 0, done.stdout + done.stderr
    found: JsonObject = json.loads(done.stdout)
    return found


class AwsDay:
    """Plays the demo's day on the deployed shop: what is killed is a function's process."""

    pause = PAUSE

    def __init__(self, shop: DeployedShop) -> None:
        self._shop = shop

    @property
    def words(self) -> Words:
        """Give how the story calls what is here."""
        return Words(
            server="API Gateway",
            place="on Lambda, DynamoDB and Step Functions",
            crash="A function is killed",
            crashed="the process gets SIGKILL",
            kept="In DynamoDB",
        )

    def add_staff(self, email: str, password: str) -> None:
        """Add a user of the staff with `shopctl users add`."""
        words = ("users", "add", email, "--role", "staff", "--password-stdin")
        shopctl(self._shop.folder, *words, given=password + "\n")

    def open(self) -> str:
        """Fill the catalogue."""
        seed(self._shop.host.ports)
        return self._shop.url

    def crash(self, place: Callable[[], Order]) -> Crash:
        """Kill what authorises the payment, when the bank has charged and nobody knows yet."""
        runs = self._shop.host.ports.workflows
        self._shop.order_crash("payments.authorize", "bank", "after")
        with ThreadPoolExecutor(1) as placing:
            placed = placing.submit(place)
            self._shop.wait_for_crash()
            (run,) = runs.list(status=RunStatus.RUNNING, workflow="checkout").runs
            written = steps_of(tuple(runs.history(run.run_id)))
            order = placed.result()
        assert run.input["order_id"] == order.order_id
        return Crash(order, written, running=True)

    def recover(self) -> tuple[str, str]:
        """Do nothing: Step Functions tries again by itself, and Lambda starts another process."""
        return self._shop.url, "Another process has taken over"

    def busy(self) -> bool:
        """Tell whether a run is under way."""
        return bool(self._shop.host.ports.workflows.list(status=RunStatus.RUNNING, limit=1).runs)

    def close(self) -> Check:
        """Wait for the queues; the stage stays."""
        claim = "every queue is empty in the end, the dead ones among them"
        until = time.monotonic() + PATIENCE
        while (left := self._shop.queues()) and time.monotonic() < until:
            time.sleep(PAUSE)
        problems = tuple(f"{count} in {name}" for name, count in left.items())
        return Check(claim, problems, f"{sum(left.values())} messages")

    def records(self) -> Records:
        """Look into the stage from beside."""
        ports = self._shop.host.ports
        runs = ports.workflows.list(limit=1000).runs
        return Records(
            charges=self._shop.host.bank.charges(),
            mails=self._shop.mails(),
            runs=runs,
            histories={run.run_id: tuple(ports.workflows.history(run.run_id)) for run in runs},
            dead_letters=tuple(ports.dead_letters.list(limit=100)),
        )
