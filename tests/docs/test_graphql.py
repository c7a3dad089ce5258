"""The GraphQL in the documents is valid, and operations marked `as` a login succeed in the demo."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse, validate
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from fullon_graphql.embedded.demo.catalogue import PASSWORD
from fullon_graphql.graph import ENTITIES, Graph
from tests.docs.documents import ROOT, Block, all_blocks, spans
from tests.fixtures.server import Server

BLOCKS = all_blocks("graphql")
LOGINS = {"as anonymous": None, "as trader": "trader@fullon", "as admin": "admin@fullon"}


def place(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("block", BLOCKS, ids=place)
def test_every_operation_is_valid(block: Block, schema: Graph) -> None:
    assert validate(schema._schema, parse(block.text)) == []
    assert block.note in {"", *LOGINS}


def test_invalid_operation_is_detected(schema: Graph) -> None:
    [error] = validate(schema._schema, parse("{ me { password } }"))
    assert isinstance(error, GraphQLError)


def test_graph_page_names_every_entity() -> None:
    named = set(spans(ROOT / "docs/graph.md"))
    assert {entity.__name__ for entity in ENTITIES} - named == set()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.note], ids=place)
async def test_every_marked_operation_works_in_the_demo(block: Block, demo: Server) -> None:
    mail = LOGINS[block.note]
    token = await demo.token(mail, PASSWORD) if mail else None
    subscribed = is_subscription(block.text)
    answer = await (first_event(demo, block.text, token) if subscribed else demo.ask(block.text, token))
    assert "errors" not in answer, answer
    assert all(value not in (None, []) for value in answer["data"].values()), answer


def is_subscription(text: str) -> bool:
    [operation] = [part for part in parse(text).definitions if isinstance(part, OperationDefinitionNode)]
    return operation.operation is OperationType.SUBSCRIPTION


async def first_event(server: Server, text: str, token: str | None) -> dict[str, Any]:
    """The first event of a subscription that has something in it."""
    async with (
        asyncio.timeout(30),
        connect(server.socket_url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket,
    ):
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": token}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": text}}))
        while True:
            message = json.loads(await socket.recv())
            assert message["type"] == "next", message
            payload: dict[str, Any] = message["payload"]
            if "errors" in payload or all(payload["data"].values()):
                return payload
