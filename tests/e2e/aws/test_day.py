"""The shop on API Gateway, Lambda, DynamoDB and Step Functions, from nothing to the last refund."""

from __future__ import annotations

import itertools
import platform
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import pytest
from boto3.session import Session

from cartwheel.delivery import decode_item
from cartwheel.ports import (
    Charge,
    ChargeStatus,
    Clock,
    Event,
    Json,
    JsonObject,
    RunConflict,
    RunStatus,
)
from cartwheel_shop._base import Line, read
from cartwheel_shop.inventory import service as inventory
from cartwheel_shop.inventory.model import RESERVATION_SECONDS, Stock
from cartwheel_shop.orders import service as orders
from shopctl._demo._client import Answer, Client, Order
from shopctl._demo._play import play_on
from tests.engines.aws._processes import REGION
from tests.support.deployed_shop import (
    ARCHITECTURES,
    NAMES,
    AwsDay,
    DeployedShop,
    awaited,
    deployed_shop,
    shopctl,
)
from tests.support.shopping import ADDRESS, PASSWORD, product

BUYERS, UNITS = 64, 20
AT_A_TIME = 8
"""Buyers whose requests are under way together: what two processors bear beside the engine."""
_numbers = itertools.count(1)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def began() -> float:
    return time.monotonic()


@pytest.fixture(scope="module")
def shop(began: float, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedShop]:
    with deployed_shop(tmp_path_factory.mktemp("project")) as deployed:
        print(f"deployed after {time.monotonic() - began:.1f} s")
        yield deployed


def test_the_day_has_the_story_that_it_has_on_one_machine(shop: DeployedShop, began: float) -> None:
    played = play_on(AwsDay(shop), print)
    seconds = time.monotonic() - began
    print(f"the day took {played.seconds:.1f} s, {seconds:.1f} s from nothing")
    assert [check for check in played.checks if not check.holds] == []


class Customer:
    """Buys one product, of which nobody else buys."""

    def __init__(self, shop: DeployedShop, stock: int = 5) -> None:
        number = next(_numbers)
        self.shop = shop
        self.product = product(shop.host.ports, f"prd_{number}", stock=stock)
        self.client = shop.caller(f"usr_{number}")

    def buys(self, card: str = "tok_ok", quantity: int = 1) -> Answer:
        """Put the product into the cart and check out, answered when stock is held or refused."""
        return buy(self.client, self.product, card, quantity)

    def places(self, card: str = "tok_ok") -> str:
        """Buy, and give the order's id."""
        answer = self.buys(card)
        assert answer.status == 202, answer
        return str(answer.body["order_id"])

    def settled(self, order_id: str) -> Order:
        """Wait until nothing will change about the order by itself."""
        order, _ = self.client.settled(order_id, 60)
        return order

    def level(self) -> tuple[int, int, int]:
        """Give how many are available, reserved and sold."""
        level = inventory.stock_level(self.shop.host.ports, self.product)
        return level.available, level.reserved, level.sold

    def charge(self, order_id: str) -> Charge:
        """Give the one charge of an order."""
        run_id = orders.get(self.shop.host.ports, order_id).run_id
        (found,) = [
            one for one in self.shop.host.bank.charges() if one.reference.startswith(f"{run_id}:")
        ]
        return found


def buy(client: Client, product_id: str, card: str = "tok_ok", quantity: int = 1) -> Answer:
    line: JsonObject = {"product_id": product_id, "quantity": quantity}
    client.want(200, "POST", "/cart/items", line)
    address: dict[str, Json] = {**ADDRESS}
    body: JsonObject = {"payment_token": card, "shipping_address": address}
    return client.send("POST", "/checkout", body, key=f"buy-{next(_numbers)}")


class Past:
    """Is a clock on which a reservation that is made now has just expired."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        """Give the time as it was."""
        return self._clock.now() - RESERVATION_SECONDS - 1

    def sleep(self, seconds: float) -> None:
        """Wait as long as anybody."""
        self._clock.sleep(seconds)


@pytest.fixture(scope="module")
def forgotten(shop: DeployedShop) -> str:
    """Hold a product as an order did that is lost, long enough ago."""
    ports = shop.host.ports
    made = product(ports, "prd_forgotten", stock=1)
    past = replace(ports, clock=Past(ports.clock))
    inventory.reserve(past, "ord_lost", [Line(product_id=made, quantity=1)])
    return made


@pytest.fixture
def ada(shop: DeployedShop, forgotten: str) -> Customer:
    return Customer(shop)


@pytest.mark.parametrize("card", ["tok_declined", "tok_insufficient_funds"])
def test_a_declined_payment_releases_the_stock(ada: Customer, card: str) -> None:
    order = ada.settled(ada.places(card))
    assert (order.status, order.reason, order.payment) == (
        "rejected",
        "payment_declined",
        "declined",
    )
    assert ada.level() == (5, 0, 0)
    ada.shop.at_rest(ada.product)


def test_what_is_out_of_stock_is_refused(ada: Customer) -> None:
    answer = ada.buys(quantity=6)
    assert (answer.status, answer.code) == (409, "out_of_stock")
    assert ada.level() == (5, 0, 0)
    ada.shop.at_rest(ada.product)


@pytest.mark.parametrize(
    ("card", "ends", "level"),
    [
        ("tok_timeout_charged", ("confirmed", "captured"), (4, 0, 1)),
        ("tok_timeout_not_charged", ("rejected", "voided"), (5, 0, 0)),
        ("tok_error_once", ("confirmed", "captured"), (4, 0, 1)),
    ],
)
def test_an_unknown_payment_is_found_out(
    ada: Customer, card: str, ends: tuple[str, str], level: tuple[int, int, int]
) -> None:
    order_id = ada.places(card)
    ada.shop.tick("payments", "payments.reconcile")
    order = ada.settled(order_id)
    assert (order.status, order.payment) == ends
    ada.shop.tick("payments", "payments.reconcile")
    ada.shop.at_rest(ada.product)
    assert ada.level() == level


@pytest.mark.parametrize(
    ("task", "table", "when"),
    [
        ("inventory.reserve", "inventory", "after"),
        ("payments.authorize", "bank", "before"),
        ("payments.capture", "bank", "after"),
        ("orders.confirm", "orders", "after"),
    ],
)
def test_a_function_that_is_killed_in_mid_task_is_called_again(
    ada: Customer, task: str, table: str, when: str
) -> None:
    ada.shop.order_crash(task, table, when)
    order_id = ada.places()
    ada.shop.wait_for_crash()
    order = ada.settled(order_id)
    assert (order.status, order.payment) == ("confirmed", "captured")
    ada.shop.at_rest(ada.product)
    assert ada.level() == (4, 0, 1)
    assert ada.charge(order_id).captured == order.total


def asking(ada: Customer, order_id: str) -> Charge:
    """Wait until the bank asks the card's holder, and give the charge that it asks about."""
    run_id = orders.get(ada.shop.host.ports, order_id).run_id

    def look() -> Charge | None:
        charges = ada.shop.host.bank.charges()
        mine = [one for one in charges if one.reference.startswith(f"{run_id}:")]
        return next((one for one in mine if one.status is ChargeStatus.REQUIRES_ACTION), None)

    found = awaited("the bank's question", look)
    assert found is not None
    return found


def test_a_webhook_lets_a_checkout_go_on_however_often_it_comes(ada: Customer) -> None:
    order_id = ada.places("tok_requires_action")
    charge = asking(ada, order_id)
    answered = ada.shop.host.gateway.act(charge.charge_id, approved=True)
    assert [ada.shop.bank_tells(answered) for _ in range(3)] == [200] * 3
    order = ada.settled(order_id)
    assert (order.status, order.payment) == ("confirmed", "captured")
    assert ada.shop.bank_tells(answered) == 200
    ada.shop.at_rest(ada.product)
    assert ada.level() == (4, 0, 1)


@pytest.mark.parametrize(
    ("approved", "ends"),
    [(True, ("confirmed", "captured")), (False, ("rejected", "declined"))],
)
def test_a_webhook_may_come_before_the_banks_reply(
    ada: Customer, approved: bool, ends: tuple[str, str]
) -> None:
    # The process dies with the reply: the bank knows the charge, the shop hears of it by webhook.
    ada.shop.order_crash("payments.authorize", "bank", "after")
    order_id = ada.places("tok_requires_action")
    ada.shop.wait_for_crash()
    charge = asking(ada, order_id)
    answered = ada.shop.host.gateway.act(charge.charge_id, approved=approved)
    assert ada.shop.bank_tells(answered) == 200
    order = ada.settled(order_id)
    assert (order.status, order.payment) == ends
    ada.shop.at_rest(ada.product)
    assert ada.level() == ((4, 0, 1) if approved else (5, 0, 0))


def test_an_event_that_is_delivered_again_changes_nothing(ada: Customer) -> None:
    shop = ada.shop
    url = shop.sqs.create_queue(QueueName=f"copies-{next(_numbers)}")["QueueUrl"]
    asked = shop.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topic = f"arn:aws:sns:us-east-1:123456789012:{NAMES.topic}"
    arn = asked["Attributes"]["QueueArn"]
    shop.sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    first, second = ada.places(), ada.places("tok_declined")
    assert ada.settled(first).status == "confirmed"
    assert ada.settled(second).status == "rejected"
    shop.at_rest(ada.product)
    mails = Counter(mail.text for mail in shop.mails())
    copies: list[str] = []
    while told := shop.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        copies += [message["Body"] for message in told]
    shop.sqs.delete_queue(QueueUrl=url)
    mine = [body for body in copies if first in body or second in body]
    assert {"order.confirmed", "order.rejected"} <= {type_of(body) for body in mine}
    sent = 0
    for to, event in _queues(shop):
        for body in mine:
            if type_of(body) == event:
                shop.sqs.send_message(QueueUrl=to, MessageBody=body)
                shop.sqs.send_message(QueueUrl=to, MessageBody=body)
                sent += 2
    print(f"{sent} messages were sent once more, of {len(mine)} events")
    assert sent >= 8
    shop.at_rest(ada.product)
    assert Counter(mail.text for mail in shop.mails()) == mails
    assert shop.host.ports.dead_letters.list() == []
    assert ada.level() == (4, 0, 1)


def type_of(body: str) -> str:
    item = decode_item(body)
    return item.type if isinstance(item, Event) else ""


def _queues(shop: DeployedShop) -> list[tuple[str, str]]:
    """Give the queues of subscriptions, and which type of event each takes."""
    found: list[tuple[str, str]] = []
    for name, subscription in shop.host.app.subscriptions.items():
        url = shop.sqs.get_queue_url(QueueName=NAMES.queue(name))["QueueUrl"]
        found.append((url, subscription.event))
    return found


def test_a_message_that_nobody_can_read_is_a_dead_letter(shop: DeployedShop) -> None:
    letters = shop.host.ports.dead_letters
    consumer = next(iter(shop.host.app.subscriptions))
    url = shop.sqs.get_queue_url(QueueName=NAMES.queue(consumer))["QueueUrl"]
    shop.sqs.send_message(QueueUrl=url, MessageBody="{not json")
    (letter,) = awaited("the dead letter", letters.list)
    assert letter.consumer == consumer
    letters.discard(letter.id)
    assert letters.list() == []
    shop.at_rest()


def test_staff_ship_and_pay_back_and_customers_change_their_minds(ada: Customer) -> None:
    staff = ada.shop.caller("usr_staff", "staff")
    first, second = ada.places(), ada.places()
    assert ada.settled(first).payment == "captured"
    assert ada.settled(second).payment == "captured"
    sent: JsonObject = {"carrier": "DHL", "tracking_number": "JD1"}
    staff.want(200, "POST", f"/orders/{first}/ship", sent, key="sent")
    staff.want(200, "POST", f"/orders/{first}/deliver", key="there")
    half: JsonObject = {"amount": {"amount": 300, "currency": "EUR"}, "reason": "a scratch"}
    staff.want(202, "POST", f"/orders/{first}/refund", half, key="half")
    ada.client.want(202, "POST", f"/orders/{second}/cancel", key="no")
    awaited("the refund", lambda: ada.client.order(first).refunded == 300)
    awaited("the cancellation", lambda: ada.client.order(second).status == "cancelled")
    ada.shop.at_rest(ada.product)
    assert (ada.client.order(first).status, ada.level()) == ("delivered", (4, 0, 1))
    assert ada.client.order(second).refunded == 1290


def test_a_forgotten_password_is_replaced_by_mail(shop: DeployedShop) -> None:
    nobody = Client(shop.url)
    email = f"grace{next(_numbers)}@example.org"
    who: JsonObject = {"email": email, "password": PASSWORD}
    nobody.want(201, "POST", "/users/register", {**who, "name": "Grace"})
    nobody.want(202, "POST", "/users/password-reset", {"email": email})

    def token() -> str | None:
        told = [mail.text for mail in shop.mails() if mail.to == email and "token" in mail.text]
        found = re.search(r"within the hour: (\S+)", told[0]) if told else None
        return found[1] if found else None

    new: JsonObject = {"token": awaited("the mail", token), "new_password": PASSWORD + " 2"}
    nobody.want(204, "POST", "/users/password-reset/confirm", new)
    assert nobody.send("POST", "/users/login", who).status == 401
    nobody.want(200, "POST", "/users/login", {**who, "password": PASSWORD + " 2"})


def test_an_operator_sees_and_steers_runs_from_beside(ada: Customer) -> None:
    runs = ada.shop.host.ports.workflows
    done = orders.get(ada.shop.host.ports, order_id := ada.places()).run_id or ""
    ada.settled(order_id)
    awaited("the end", lambda: runs.status(done).status is RunStatus.SUCCEEDED)
    steps = [entry.step for entry in runs.history(done)]
    assert steps[:3] == ["validate", "reserve", "authorize"]
    with pytest.raises(RunConflict):
        runs.redrive(done)
    lost = f"run-{next(_numbers)}"
    runs.start("cancel_order", lost, {"order_id": "ord_nobody_knows"})
    failed = awaited("the failure", lambda: _ended(ada.shop, lost))
    assert failed is RunStatus.FAILED
    before = len(runs.history(lost))
    runs.redrive(lost)
    awaited(
        "the second failure", lambda: len(runs.history(lost)) > before and _ended(ada.shop, lost)
    )
    assert lost in {run.run_id for run in runs.list(status=RunStatus.FAILED).runs}
    ada.shop.at_rest(ada.product)


def _ended(shop: DeployedShop, run_id: str) -> RunStatus | None:
    status = shop.host.ports.workflows.status(run_id).status
    return None if status is RunStatus.RUNNING else status


def test_as_many_are_sold_as_there_are(shop: DeployedShop) -> None:
    last = Customer(shop, stock=UNITS)
    buyers = [shop.caller(f"usr_buyer_{number}") for number in range(BUYERS)]
    ready = threading.Barrier(AT_A_TIME)

    def run(number: int) -> Answer:
        if number < AT_A_TIME:
            ready.wait(60)
        return buy(buyers[number], last.product)

    began = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        answers = list(threads.map(run, range(BUYERS)))
    print(f"{BUYERS} buyers, {AT_A_TIME} at a time: {time.monotonic() - began:.1f} s")
    told = Counter((answer.status, answer.code) for answer in answers)
    assert told == {(202, ""): UNITS, (409, "out_of_stock"): BUYERS - UNITS}
    shop.at_rest(last.product)
    assert last.level() == (0, 0, UNITS)


def test_schedules_call_by_themselves(shop: DeployedShop, forgotten: str) -> None:
    def held() -> int:
        stock = read(shop.host.ports, inventory.COLLECTION, forgotten, inventory.STOCK, Stock)
        assert stock is not None
        return stock.reserved

    # Nothing else ends a reservation: no test calls the reaper.
    awaited("the reaper's minute", lambda: held() == 0, 75)


def test_a_plan_finds_no_change_and_destroying_leaves_nothing(shop: DeployedShop) -> None:
    machine = ("--architecture", ARCHITECTURES[platform.machine()])
    assert shopctl(shop.folder, "plan", *machine)["changes"] == []
    told = shopctl(shop.folder, "destroy", "--delete-data", "--yes")
    print(f"{len(cast('list[str]', told['removed']))} parts removed")
    assert told["kept"] == []
    session = Session(region_name=REGION)
    assert session.client("dynamodb").list_tables()["TableNames"] == []
    assert shop.lambdas.list_functions()["Functions"] == []
    assert shop.sqs.list_queues(QueueNamePrefix=NAMES.prefix).get("QueueUrls", []) == []
    assert session.client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("scheduler").list_schedules()["Schedules"] == []
    assert shop.logs.describe_log_groups()["logGroups"] == []
