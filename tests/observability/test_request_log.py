"""The lines of the request log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.types import Receive, Scope, Send

from fullon_graphql.config import Settings
from fullon_graphql.observability import request_log
from fullon_graphql.observability.logging import configure_logging
from fullon_graphql.observability.request_log import RequestLog
from fullon_graphql.observability.request_record import operation_name, record_of
from fullon_graphql.server.request_middleware import RequestMiddleware

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    logging.getLogger("fullon_graphql").setLevel(logging.NOTSET)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    if record := record_of(scope):
        record.uid, record.operation = 7, "Bots"
    await send({"type": "http.response.start", "status": 201, "headers": []})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("broken")


async def _nothing(*_: Any) -> Any:
    return None


async def request(app: Any, log: RequestLog, path: str = "/graphql", **headers: str) -> None:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": named, "query_string": b"token=secret"}
    await RequestMiddleware(app, log)(scope, _nothing, _nothing)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_line_has_the_facts_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    log = RequestLog()
    await request(
        ok,
        log,
        x_request_id="id-1",
        apollographql_client_name="desk",
        apollographql_client_version="1.2",
        traceparent=TRACEPARENT,
    )
    log.flush()
    [line] = lines(capsys)
    assert 0 <= line.pop("duration_ms") < 1000
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request", "level": "info", "logger": "fullon_graphql.requests", "method": "POST", "path": "/graphql",
        "operation": "Bots", "status": 201, "uid": 7, "request_id": "id-1", "client": "desk",
        "client_version": "1.2", "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }  # fmt: skip


async def test_request_that_crashes_has_a_line_without_status(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    log = RequestLog()
    with pytest.raises(RuntimeError):
        await request(broken, log)
    log.flush()
    assert [line["status"] for line in lines(capsys)] == [None]


async def test_texts_of_clients_are_redacted_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    log = RequestLog()
    await request(ok, log, "/x\n" + "y" * 1000, apollographql_client_name="Bearer abcdef\x00")
    await request(ok, log, "/a/password=hunter22\udcff")
    log.flush()
    first, second = lines(capsys)
    assert first["path"] == "/x" + "y" * 197
    assert "abcdef" not in first["client"]
    assert "hunter22" not in second["path"]


async def test_lines_are_written_in_batches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging(Settings(log_format="json"))
    monkeypatch.setattr(request_log, "BATCH", 3)
    log = RequestLog()
    for number in range(4):
        await request(ok, log)
        assert len(lines(capsys)) == (3 if number == 2 else 0)
    log.flush()
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("level", ["WARNING", "INFO"])
async def test_level_and_format_of_the_settings_apply(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="pretty", log_level=level))  # type: ignore[arg-type]  # one of the levels
    log = RequestLog()
    await request(ok, log)
    log.flush()
    written = capsys.readouterr().err
    assert ("operation=Bots" in written) == (level == "INFO")


@pytest.mark.parametrize(
    ("given", "document", "name"),
    [
        (None, "query Bots { bots }", "Bots"),
        (None, "\n  subscription  T($a: Int) { x }", "T"),
        (None, "{ bots }", None),
        (None, "query { bots }", None),
        ("Other", "query Bots { bots } query Other { bots }", "Other"),
        ("not a name", "query Bots { bots }", None),
        ("x" * 81, "", None),
    ],
)
def test_operation_name_comes_from_the_request_or_the_document(
    given: str | None, document: str, name: str | None
) -> None:
    assert operation_name(given, document) == name
