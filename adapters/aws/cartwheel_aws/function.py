"""What runs in a Lambda function: one service of an application, whoever invokes it.

A function's package holds a handler.py of two lines, which the build writes:

    from cartwheel_aws.function import Function

    handle = Function("my_shop:app", "orders", __file__).handle

Everything is made when the handler is loaded, which Lambda gives a whole processor to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cartwheel.access import at_work
from cartwheel.app import App, checked_before
from cartwheel.dispatch import SETTLER
from cartwheel.host import HostOptions
from cartwheel.ports import ConfigurationError, Json, JsonObject, Ports, RunNotFound
from cartwheel_aws._clients import Clients
from cartwheel_aws._direct import take
from cartwheel_aws._executions import ended_run
from cartwheel_aws._handler import handler
from cartwheel_aws._host import SENDER, AwsHost
from cartwheel_aws._http import answer_http
from cartwheel_aws._http_events import http_kind
from cartwheel_aws._names import Names, Place

if TYPE_CHECKING:
    from cartwheel_aws._consume import SqsEvent, SqsWorker

STAGE, ACCOUNT = "CARTWHEEL_STAGE", "CARTWHEEL_ACCOUNT"
FORMS = "forms.json"
"""The file beside the handler with what Step Functions needs of the current definitions."""


class Function:
    """Serves one service on Lambda: requests, tasks, messages, schedules, ends of runs.

    `outside`, `module:name`, is a function from ports to those to use instead (payments over
    Stripe, say).
    """

    def __init__(self, source: str, service: str, file: str, outside: str | None = None) -> None:
        with checked_before():
            app = _found(source)
        if not isinstance(app, App):
            raise ConfigurationError(f"'{source}' is a {type(app).__name__}, not an App")
        names = Names(app.name, _variable(STAGE))
        place = Place(names, _variable("AWS_REGION"), _variable(ACCOUNT))
        forms = Path(file).with_name(FORMS)
        known: dict[str, JsonObject] = json.loads(forms.read_bytes()) if forms.exists() else {}
        replace = None if outside is None else cast("Callable[[Ports], Ports]", _found(outside))
        options = HostOptions(replace=replace)
        self.host = AwsHost(
            app,
            options,
            place,
            Clients(place.region),
            known,
            service=service,
            sender=os.environ.get(SENDER, ""),
        )
        self._service = service
        self._invoked = handler(self.host.invocations)
        self._worker: SqsWorker | None = None

    def handle(self, event: Json, context: object) -> Json:
        """Answer an event; what it is shows in its shape."""
        kind = http_kind(event)
        if kind is not None:
            return answer_http(self.host.dispatcher, cast("JsonObject", event), kind)
        match event:
            case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
                return self._consume(event)
            case {"consumer": str(consumer), "item": str(text)}:
                take(self.host.dispatcher, consumer, text)
            case {"run_id": str(), "task": str()}:
                return self._invoked(event, context)
            case {"schedule": str(name)}:
                self._tick(name)
            case {"source": "aws.states"}:
                self._ended(ended_run(event))
            case _:
                shape = sorted(event) if isinstance(event, dict) else type(event).__name__
                raise ValueError(f"function '{self._service}' knows no event like {shape}")
        return None

    def _consume(self, event: Json) -> Json:
        if self._worker is None:
            self._worker = self.host.worker()
        return cast("Json", self._worker.consume(cast("SqsEvent", event)))

    def _tick(self, name: str) -> None:
        if name != SETTLER:
            self.host.dispatcher.tick(name)
            return
        with at_work(name):
            self.host.runtime.settle_runs()

    def _ended(self, run_id: str | None) -> None:
        """Note the end of a run that Step Functions tells of."""
        if run_id is None:
            return
        try:
            self.host.runtime.note_end(run_id)
        except RunNotFound:
            self.host.log.warning("a run ended that nobody has started here", run_id=run_id)


def _found(source: str) -> object:
    module, _, name = source.partition(":")
    return getattr(import_module(module), name)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"the function's environment lacks {name}; deploy it anew")
    return value
