"""Spans of requests, port calls, deliveries and steps, in one trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from cartwheel.app import App
from cartwheel.host import HostOptions
from cartwheel.http import Request
from cartwheel.log import discard
from cartwheel.ports import ConfigurationError
from cartwheel.trace import current
from cartwheel_memory import MemoryHost
from cartwheel_outside import Settings, Telemetry, tracing
from tests.unit.test_trace import PARENT, TRACE, do_it, jobs


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def host(exporter: InMemorySpanExporter) -> Iterator[MemoryHost]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(provider)
    app = App("tracing", services=[jobs], workflows=[do_it])
    options = HostOptions(log=discard, tracer=telemetry, hook=telemetry.hook)
    with MemoryHost(app, options) as opened:
        yield opened
    telemetry.close()


def ask(host: MemoryHost, **headers: str) -> None:
    sent = {name: (value,) for name, value in headers.items()}
    host.dispatcher.http(Request("POST", "/jobs/one", headers=sent))
    host.settle()


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def test_a_request_and_all_that_follows_is_one_trace(
    host: MemoryHost, exporter: InMemorySpanExporter
) -> None:
    ask(host, traceparent=PARENT)
    spans = exporter.get_finished_spans()
    assert {trace_of(span) for span in spans} == {TRACE}
    names = {span.name for span in spans}
    assert names >= {
        "POST /jobs/{name}",
        "store.commit",
        "events.publish",
        "queue.send",
        "workflows.start",
        "jobs.work",
        "jobs.noticed",
        "jobs.noticed_again",
        "jobs.later",
    }
    assert current() == ""


def test_each_span_hangs_on_what_caused_it(
    host: MemoryHost, exporter: InMemorySpanExporter
) -> None:
    ask(host, traceparent=PARENT)
    (request,) = named(exporter, "POST /jobs/{name}")
    (sent,) = named(exporter, "queue.send")
    (later,) = named(exporter, "jobs.later")
    (noticed,) = named(exporter, "jobs.noticed")
    (step,) = named(exporter, "jobs.work")
    (start,) = named(exporter, "workflows.start")
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT[36:52]
    for child, parent in [
        (sent, request),
        (later, sent),
        (noticed, request),
        (step, start),
    ]:
        assert child.parent is not None
        assert parent.context is not None
        assert child.parent.span_id == parent.context.span_id, child.name
    assert (request.kind, sent.kind, later.kind) == (
        SpanKind.SERVER,
        SpanKind.CLIENT,
        SpanKind.CONSUMER,
    )


def test_a_span_names_the_run_and_the_step(
    host: MemoryHost, exporter: InMemorySpanExporter
) -> None:
    ask(host)
    (step,) = named(exporter, "jobs.work")
    assert step.attributes is not None
    assert step.attributes["cartwheel.run_id"] == "run-one"
    assert str(step.attributes["cartwheel.key"]).startswith("run-one:")


def test_a_failure_marks_its_span_and_shows_no_message(
    host: MemoryHost, exporter: InMemorySpanExporter
) -> None:
    host.dispatcher.http(Request("POST", "/jobs/one", body=b"canary"))
    host.dispatcher.task("jobs.work", "k", "r", b'"canary"')
    (failed,) = named(exporter, "jobs.work")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes is not None
    assert failed.attributes["cartwheel.error"] == "Unexpected"
    assert "canary" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_a_port_call_outside_of_a_trace_makes_no_span(
    host: MemoryHost, exporter: InMemorySpanExporter
) -> None:
    host.ports.store.get("jobs", "p", "k")
    assert exporter.get_finished_spans() == ()


def test_spans_are_off_unless_they_are_asked_for() -> None:
    assert tracing(Settings(), "shop") is None


def test_spans_to_the_console_are_written_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = tracing(Settings(otel="console"), "shop")
    assert telemetry is not None
    with telemetry.span("task", "jobs.work", PARENT, "", {}):
        pass
    telemetry.close()
    written = capsys.readouterr()
    assert written.out == ""
    assert TRACE in written.err


def test_without_the_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "cartwheel_outside._otel")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"cartwheel\[otel\]"):
        tracing(Settings(otel="otlp"), "shop")
