"""OpenTelemetry spans of what an application does, from requests down to port calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cartwheel.ports import PortCall
from cartwheel.trace import Kind, Value, current, within

T = TypeVar("T")

_KINDS: dict[Kind, otel.SpanKind] = {
    "request": otel.SpanKind.SERVER,
    "task": otel.SpanKind.INTERNAL,
    "event": otel.SpanKind.CONSUMER,
    "message": otel.SpanKind.CONSUMER,
    "schedule": otel.SpanKind.INTERNAL,
}
_CARRIED = TraceContextTextMapPropagator()


class Telemetry:
    """Is a host's tracer and hook: `HostOptions(tracer=telemetry, hook=telemetry.hook)`.

    A span carries names, ids and statuses, never a body, a message of an error or what a port was
    given: those may hold what is secret or personal.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("cartwheel")

    def span(
        self, kind: Kind, name: str, parent: str, seed: str, notes: Mapping[str, Value]
    ) -> OtelSpan:
        """See cartwheel.trace.Tracer; ids of a trace that begins are the SDK's own."""
        above = _CARRIED.extract({"traceparent": parent}, otel_context.Context())
        started = self._tracer.start_span(
            name, above, _KINDS[kind], {"cartwheel.kind": kind, **notes}
        )
        return OtelSpan(started, kind)

    def hook(self, call: PortCall, invoke: Callable[[], T]) -> T:
        """Put a span around a port call that belongs to a trace; see cartwheel.ports.Hook."""
        parent = current()
        if not parent:
            return invoke()
        above = _CARRIED.extract({"traceparent": parent}, otel_context.Context())
        notes = {"cartwheel.port": call.port, "cartwheel.subject": call.subject}
        name = f"{call.port}.{call.operation}"
        with OtelSpan(self._tracer.start_span(name, above, otel.SpanKind.CLIENT, notes), "port"):
            return invoke()

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


class OtelSpan:
    """Is a span under way; within it the traceparent of what is done is its own."""

    def __init__(self, span: otel.Span, kind: str) -> None:
        self._span = span
        self._kind = kind
        carrier: dict[str, str] = {}
        _CARRIED.inject(carrier, otel.set_span_in_context(span, otel_context.Context()))
        self._within = within(carrier.get("traceparent", ""))

    def note(self, name: str, value: Value) -> None:
        """Note something about the work, which may also name it or say that it failed."""
        self._span.set_attribute(name, value)
        if name == "http.route":
            method = getattr(self._span, "name", "")
            self._span.update_name(f"{method} {value}")
        failed = name == "cartwheel.error" or (
            name == "http.response.status_code" and isinstance(value, int) and value >= 500
        )
        if failed:
            self._span.set_status(otel.StatusCode.ERROR)

    def __enter__(self) -> Self:
        self._token = otel_context.attach(otel.set_span_in_context(self._span))
        self._within.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._span.set_attribute("error.type", kind.__name__)
            self._span.set_status(otel.StatusCode.ERROR)
        self._within.__exit__()
        otel_context.detach(self._token)
        self._span.end()


def telemetry_to(where: str, service: str) -> Telemetry:
    """Make the telemetry of a process: to `console`, or to `otlp` over HTTP.

    An OTLP exporter is configured by OpenTelemetry's own variables, OTEL_EXPORTER_OTLP_ENDPOINT
    foremost.
    """
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if where == "console":
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Telemetry(provider)
