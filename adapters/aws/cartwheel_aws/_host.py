"""An application's ports over a stage on AWS, in a function as on an operator's machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from cartwheel.app import App
from cartwheel.deadletters import DEAD_LETTERS, StoreDeadLetters
from cartwheel.dispatch import Dispatcher, TaskReply
from cartwheel.host import HostOptions
from cartwheel.log import Log
from cartwheel.ports import ConfigurationError, JsonObject, Mail, Ports
from cartwheel.realtime import RealClock, SystemRandomness, TimeOrderedIds
from cartwheel.runs import RUNS, ForeignRuntime, Invocations
from cartwheel.testbank import BOOKS, StoreBank
from cartwheel.testgateway import TestGateway
from cartwheel_aws._clients import Clients
from cartwheel_aws._consume import SqsWorker
from cartwheel_aws._direct import Invoker
from cartwheel_aws._events import SnsEventBus
from cartwheel_aws._executions import StepFunctionsEngine, TaskTokenWakeup
from cartwheel_aws._lazily import Lazily
from cartwheel_aws._names import Place
from cartwheel_aws._outside import SesMailer, SnsSms
from cartwheel_aws._queue import AwsQueue, SqsSender
from cartwheel_aws._secrets import SecretsManagerSecrets
from cartwheel_aws._store import DynamoStore

OWN = (RUNS, DEAD_LETTERS, BOOKS)
"""The collections that the adapter adds to the application's."""
SENDER = "CARTWHEEL_MAIL_FROM"


class AwsHost:
    """Is an application at a stage on AWS: its functions work there, not in this process.

    `forms` are what Step Functions needs of the current definitions, by content hash (see
    `cartwheel_aws.form_of`). With `service` it serves that service's routes only, as its function.
    Mails come from `sender`, an address; without one none is sent.
    """

    def __init__(
        self,
        app: App,
        options: HostOptions,
        place: Place,
        clients: Clients,
        forms: Mapping[str, JsonObject],
        *,
        service: str | None = None,
        sender: str = "",
    ) -> None:
        self.app = app
        self._clients = clients
        clock, ids, random = RealClock(), TimeOrderedIds(), SystemRandomness()
        collections = {**app.collections, **{own.name: own for own in OWN}}
        tables = {name: place.names.table(name) for name in collections}
        store = DynamoStore(
            clients.dynamodb, collections, tables, clock=clock, ids=ids, random=random
        )
        wakeup = Lazily(lambda: TaskTokenWakeup(clients.stepfunctions))
        self.invocations = Invocations(self._run_task, store, clock, wakeup)
        engine = Lazily(lambda: StepFunctionsEngine(clients.stepfunctions, place, forms))
        self.runtime = ForeignRuntime(app.workflows, store, self.invocations, engine, clock)
        self.bank = StoreBank(lambda: self._bare)
        self.gateway = TestGateway(self.bank)
        queue = AwsQueue(
            Lazily(lambda: SqsSender(clients.sqs, place)),
            Lazily(lambda: Invoker(clients.functions, place)),
            lambda: self.dispatcher,
        )
        self._letters = StoreDeadLetters(store, queue.deliver)
        ports = Ports(
            store=store,
            events=Lazily(lambda: SnsEventBus(clients.sns, place.topic)),
            queue=queue,
            dead_letters=self._letters,
            workflows=self.runtime,
            mailer=Lazily(lambda: SesMailer(clients.sesv2, sender)) if sender else _NoMailer(),
            sms=Lazily(lambda: SnsSms(clients.sns)),
            payments=self.gateway,
            secrets=Lazily(
                lambda: SecretsManagerSecrets(
                    clients.secretsmanager, place.names, clock, options.secrets
                )
            ),
            clock=clock,
            ids=ids,
            random=random,
        )
        self._bare = ports
        if options.replace is not None:
            ports = options.replace(ports)
        self.ports = ports.with_hook(options.hook)
        self.log = Log(clock, options.log)
        self.dispatcher = Dispatcher(app, self.ports, self.log, options.tracer, service=service)
        self._place = place

    def _run_task(self, name: str, key: str, run_id: str, input: bytes) -> TaskReply:
        return self.dispatcher.task(name, key, run_id, input)

    def worker(self) -> SqsWorker:
        """Make what works off the records of queues."""
        return SqsWorker(self.dispatcher, self._letters, self._clients.sqs, self._place)

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass: the stage's functions work by themselves, and nobody can wait for all."""
        self.ports.clock.sleep(seconds)

    def close(self) -> None:
        """End; there is nothing to free."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _NoMailer:
    """Sends nothing, and says why."""

    def send(self, mail: Mail) -> None:
        raise ConfigurationError(
            f"mail {mail.id} has no sender: set mail_from in the configuration, "
            f"or {SENDER} in the environment, to an address that SES has verified, and deploy"
        )
