"""Valid and malformed messages of graphql-transport-ws."""

from __future__ import annotations

import pytest

from fullon_graphql.engine.operations import Request
from fullon_graphql.transports.graphql_transport_ws.messages import (
    Complete,
    ConnectionInit,
    Malformed,
    Ping,
    Pong,
    Subscribe,
    parse,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "connection_init"}', ConnectionInit(None)),
        ('{"type": "connection_init", "payload": null}', ConnectionInit(None)),
        ('{"type": "connection_init", "payload": {"a": 1}}', ConnectionInit({"a": 1})),
        ('{"type": "ping", "payload": {}}', Ping({})),
        ('{"type": "pong", "extra": 1}', Pong()),
        ('{"type": "complete", "id": "1"}', Complete("1")),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ a }"}}', Subscribe("1", Request("{ a }"))),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "", "operationName": "A", "variables": {"b": 1},'
         ' "extensions": {}}}', Subscribe("1", Request("", "A", {"b": 1}))),
    ],
)  # fmt: skip
def test_valid_messages_are_parsed(text: str, message: object) -> None:
    assert parse(text) == message


@pytest.mark.parametrize(
    "text",
    [
        None, "", "{", "[]", "7", "null", '"ping"', "{}", '{"type": null}', '{"type": "connection_ack"}',
        '{"type": "connection_init", "payload": []}', '{"type": "ping", "payload": 1}', '{"type": "pong", "payload": ""}',
        '{"type": "complete"}', '{"type": "complete", "id": 1}', '{"type": "complete", "id": ""}',
        '{"type": "subscribe", "id": "", "payload": {"query": ""}}', '{"type": "subscribe", "payload": {"query": ""}}',
        '{"type": "subscribe", "id": "1"}', '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "", "operationName": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "", "extensions": []}}',
    ],
)  # fmt: skip
def test_other_messages_are_malformed(text: str | None) -> None:
    with pytest.raises(Malformed):
        parse(text)
