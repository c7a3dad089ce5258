"""Traces of requests, operations and events."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as limited
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from fullon_graphql import app as composition
from fullon_graphql.app import create_app
from fullon_graphql.config import Settings
from fullon_graphql.engine.trace import Step
from fullon_graphql.observability.otlp_encoding import span_bytes
from fullon_graphql.observability.span_export import (
    ENCODED_TOGETHER,
    Frame,
    ended,
    make_resource,
    readable,
    readable_tracer,
    scope,
)
from fullon_graphql.observability.tracing import (
    ActiveSpan,
    Sampler,
    Tracer,
    current_span,
    open_tracer,
    outgoing_headers,
)
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER
from tests.fixtures.server import bearer
from tests.fixtures.signing_in import SignIn
from tests.streaming.scripted import Driver, Ticker, deliver, number, opened

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


class Spans:
    """A tracer whose spans stay in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = readable_tracer(self._exporter)

    def all(self) -> list[ReadableSpan]:
        """The spans that have ended. There will be no further ones."""
        self.tracer.close()
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def spans() -> Iterator[Spans]:
    found = Spans()
    yield found
    found.tracer.close()


@asynccontextmanager
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application in this process."""
    app = create_app(settings)
    async with app.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as opened_:
        yield opened_


async def test_request_has_a_span_with_its_stages(
    settings: Settings, sign_in: SignIn, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "open_tracer", lambda: spans.tracer)
    token = await sign_in(TRADER)
    query = "query Mine($id: Int!) { bot(botId: $id) { name } }"
    body = {"query": query, "variables": {"id": 424242}}
    async with client(settings) as http:
        headers = bearer(token) | {"traceparent": PARENT, "tracestate": "vendor=1", "x-request-id": "r1"}
        answer = await http.post("/graphql?secret=1", json=body, headers=headers)
        assert answer.headers["traceresponse"].startswith(f"00-{TRACE}-")
        await http.get("/api/v1/orm/bots/424242", headers=bearer(token))
        await http.get("/none")
    graph, *stages, rest, none = spans.all()
    assert (graph.name, graph.kind, graph.status.status_code) == ("POST /graphql", SpanKind.SERVER, StatusCode.UNSET)
    assert graph.context
    assert graph.parent
    assert graph.start_time
    assert graph.end_time
    assert (f"{graph.context.trace_id:032x}", f"{graph.parent.span_id:016x}") == (TRACE, SPAN)
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{graph.context.span_id:016x}-01"
    assert dict(graph.attributes or {}) == {
        "http.request.method": "POST", "http.route": "/graphql", "http.response.status_code": 200,
        "graphql.operation.type": "query", "graphql.operation.name": "Mine", "fullon.request_id": "r1",
    }  # fmt: skip
    assert {"identify", "parse", "validate", "statement bot"} <= {stage.name for stage in stages}
    for stage in stages:
        assert stage.parent == graph.context
        assert stage.context
        assert stage.context.trace_id == graph.context.trace_id
        assert stage.start_time
        assert stage.end_time
        assert graph.start_time <= stage.start_time <= stage.end_time <= graph.end_time
    assert rest.name == "GET /api/v1/orm/bots/{bot_id}"
    assert none.name == "GET other"
    assert rest.parent is None
    assert rest.context
    assert rest.context.trace_id != graph.context.trace_id
    text = "".join(span.to_json() for span in (graph, *stages, rest, none))
    assert not [secret for secret in ("424242", "SELECT", "secret=1", token) if secret in text]


async def test_operation_without_request_has_a_span_of_its_own(graph: GraphClient, spans: Spans) -> None:
    worker = replace(graph.worker, tracer=spans.tracer)
    over_socket = replace(graph, worker=worker)
    spans.tracer.begin_socket(PARENT.encode(), None)
    await over_socket.ask("query Nothing { __typename }")
    await over_socket.ask("{")
    named, invalid = (span for span in spans.all() if span.kind is SpanKind.SERVER)
    assert named.name == invalid.name == "GraphQL operation"
    assert dict(named.attributes or {})["graphql.operation.name"] == "Nothing"
    assert named.parent
    assert f"{named.parent.span_id:016x}" == SPAN


async def test_events_link_to_their_subscriptions(graph: GraphClient, spans: Spans) -> None:
    driver = Driver.over(replace(graph.worker, tracer=spans.tracer))

    async def subscribed() -> int:
        async with driver.subscribe(principal(TRADER), "subscription Live { shared { number } }") as frames:
            return await number(frames)

    readers = [asyncio.create_task(subscribed()) for _ in range(3)]
    await eventually(lambda: driver.count("stream_listeners ") == len(readers))
    await deliver(opened[0], Ticker(number=1))
    assert await asyncio.gather(*readers) == [1, 1, 1]
    found = spans.all()
    subscriptions = [span.context for span in found if span.kind is SpanKind.SERVER]
    [event] = [span for span in found if span.kind is SpanKind.CONSUMER]
    assert event.name == "event shared"
    assert event.parent is None
    assert len(subscriptions) == 3
    assert {(link.context.trace_id, link.context.span_id) for link in event.links} == {
        (context.trace_id, context.span_id) for context in subscriptions if context
    }


async def test_receiver_gets_the_spans_over_http(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "desk-server")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k1")
    async with client(settings) as http:
        await http.post("/graphql", json={"query": "{ __typename }"})
    [(path, key, content)] = receiver.requests
    [resource_spans] = ExportTraceServiceRequest.FromString(content).resource_spans
    resource = {one.key: one.value.string_value for one in resource_spans.resource.attributes}
    assert (path, key, resource["service.name"]) == ("/v1/traces", "k1", "desk-server")
    first, *stages = resource_spans.scope_spans[0].spans
    assert first.name == "POST /graphql"
    assert stages
    assert {stage.parent_span_id for stage in stages} == {first.span_id}


async def test_receiver_gets_each_span_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(2 * ENCODED_TOGETHER))
    tracer = open_tracer()
    assert tracer is not None
    ids = set()
    for _ in range(5 * ENCODED_TOGETHER + 1):
        span = copied(lambda: tracer.begin_request(None, None))
        ids.add(span.span_id.to_bytes(8, "big"))
        tracer.end(span)
    await asyncio.to_thread(tracer.close)
    contents = [ExportTraceServiceRequest.FromString(content) for _, _, content in receiver.requests]
    sent = [[span.span_id for span in content.resource_spans[0].scope_spans[0].spans] for content in contents]
    assert sorted(id_ for batch in sent for id_ in batch) == sorted(ids)
    assert max(map(len, sent)) <= 2 * ENCODED_TOGETHER


class Receiver:
    """Receives OTLP on a local port."""

    def __init__(self) -> None:
        receiver = self
        self.requests: list[tuple[str, str | None, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server calls it so
                content = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, self.headers["x-key"], content))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
NUMBERS = st.integers(0, 2**63 - 1)
STEPS = st.builds(
    lambda name, start, facts: Step("batch", name, start, start + 0.25, 0.0, facts),
    TEXTS, st.floats(0, 10), st.dictionaries(TEXTS, st.one_of(NUMBERS, TEXTS), max_size=3),
)  # fmt: skip


IDS = st.integers(1, 2**64 - 1)
PARTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["server", "consumer"]),
        "name": TEXTS,
        "request_id": TEXTS,
        "is_error": st.booleans(),
        "attributes": st.dictionaries(TEXTS, st.one_of(NUMBERS, TEXTS), max_size=3),
        "steps": st.lists(STEPS, max_size=3),
        "parent_id": st.one_of(st.just(0), IDS),
        "started": st.just(0.0),
        "started_ns": st.integers(10**18, 2 * 10**18),
        "ended": st.floats(0, 100),
    }
)


def make_span(parts: dict[str, Any], links: int) -> ActiveSpan:
    span = ActiveSpan(2**127 + links, 0, is_sampled=True)
    for name, value in parts.items():
        setattr(span, name, tuple(value.items()) if name == "attributes" else value)
    span.links = [ActiveSpan(number + 1, 0, is_sampled=True) for number in range(links)]
    return span


@limited(max_examples=50, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=3))
def test_encoding_is_that_of_the_sdk(parts: list[dict[str, Any]]) -> None:
    drawn, resource = [make_span(one, links) for links, one in enumerate(parts)], make_resource()
    encoded = list(map(span_bytes, drawn))
    theirs = encode_spans([one for span in drawn for one in readable(ended(span), resource, scope())])
    assert ExportTraceServiceRequest.FromString(Frame(resource).enclose(encoded)) == theirs


def traces(sampler: Sampler, header: str | None = None) -> list[bool]:
    """For each of 1 000 requests, whether it is exported."""
    emitted: list[ActiveSpan] = []
    tracer = Tracer(emitted.append, sampler, lambda: None)
    begun = [tracer.begin_request(header.encode() if header else None, None) for _ in range(1_000)]
    for span in begun:
        if span:
            tracer.end(span)
    assert [span for span in begun if span and span.is_sampled] == emitted
    return [span is not None and span.is_sampled for span in begun]


NOT_SAMPLED = PARENT[:-1] + "0"


@pytest.mark.parametrize(
    ("name", "argument", "header", "least", "most"),
    [
        ("parentbased_always_on", "", None, 1_000, 1_000),
        ("parentbased_always_on", "", NOT_SAMPLED, 0, 0),
        ("always_on", "", NOT_SAMPLED, 1_000, 1_000),
        ("parentbased_always_off", "", None, 0, 0),
        ("parentbased_always_off", "", PARENT, 1_000, 1_000),
        ("traceidratio", "0.25", None, 150, 350),
        ("parentbased_traceidratio", "0.25", None, 150, 350),
        ("parentbased_traceidratio", "0.25", PARENT, 1_000, 1_000),
        ("traceidratio", "everything", None, 1_000, 1_000),
        ("unknown", "", NOT_SAMPLED, 0, 0),
    ],
)
def test_standard_samplers_decide(name: str, argument: str, header: str | None, least: int, most: int) -> None:
    assert least <= sum(copied(lambda: traces(Sampler(name, argument), header))) <= most


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        PARENT.upper(),
        "x" * 9999,
    ],
)
def test_invalid_context_begins_a_new_trace(header: str) -> None:
    tracer = Tracer(lambda _: None, Sampler(), lambda: None)
    span = copied(lambda: tracer.begin_request(header.encode(), b"vendor=1"))
    assert f"{span.trace_id:032x}" != TRACE
    assert (span.parent_id, span.state) == (0, b"")


def test_context_is_passed_on_to_other_servers() -> None:
    assert outgoing_headers() == {}

    def ask() -> tuple[ActiveSpan, dict[str, str]]:
        span = Tracer(lambda _: None, Sampler(), lambda: None).begin_request(PARENT.encode(), b"vendor=1")
        assert span is not None
        return span, dict(outgoing_headers())

    span, headers = copied(ask)
    assert headers == {"traceparent": f"00-{TRACE}-{span.span_id:016x}-01", "tracestate": "vendor=1"}


def copied(function: Callable[[], Any]) -> Any:
    """The result in a context of its own, as in the task of a request."""
    return copy_context().run(function)


async def test_operation_of_a_request_that_is_not_exported_has_no_span(graph: GraphClient) -> None:
    emitted: list[ActiveSpan] = []
    tracer = Tracer(emitted.append, Sampler("traceidratio", "0"), lambda: None)
    assert tracer.begin_request(None, None) is None
    assert current_span() is None
    assert outgoing_headers() == {}
    always = Tracer(emitted.append, Sampler(), lambda: None)
    await replace(graph, worker=replace(graph.worker, tracer=always)).ask("{ __typename }")
    assert emitted == []


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_tracing_is_off_unless_configured(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert open_tracer() is None


def test_application_without_tracing_imports_no_exporter() -> None:
    code = "import sys, fullon_graphql.app; sys.exit('fullon_graphql.observability.span_export' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
