"""The request log of a server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from fullon_graphql.database import Database
from tests.fixtures.eventually import eventually
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import ServerProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import socket


@pytest.fixture
def server(server_process: ServerProcess) -> ServerProcess:
    """A server in a process of its own, whose log the tests read."""
    return server_process


def logged(server: ServerProcess, event: str = "request", **facts: Any) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.log if line.startswith("{")]
    return [line for line in lines if line["event"] == event and line.items() >= facts.items()]


async def test_requests_over_every_face_have_a_line(start_server: StartServer, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with start_server(LOG_FORMAT="json") as server:
        await server.ask("query Mine { me { uid } }", token)
        async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=30) as client:
            await client.get("/api/v1/orm/bots?limit=1", headers={"x-request-id": "rest-1"})
        async with socket(server) as opened:
            await opened.sign_in({"authorization": token, "apollographql-client-name": "desk"})
        await eventually(lambda: logged(server, operation="Mine", status=200, uid=TRADER, path="/graphql"))
        await eventually(lambda: logged(server, path="/api/v1/orm/bots", status=200, uid=TRADER, request_id="rest-1"))
        await eventually(lambda: logged(server, method="WEBSOCKET", path="/graphql", uid=TRADER, client="desk"))
        assert token not in "".join(server.log)


async def test_request_log_is_off_by_its_setting(
    start_server: StartServer, platform: Database, sign_in: SignIn
) -> None:
    token = await sign_in(ADMIN)
    async with start_server(LOG_FORMAT="json", REQUEST_LOG="false") as server:
        answer = await server.ask("mutation { stopService(name: TICKER) { state } }", token)
        assert "errors" not in answer
        await eventually(lambda: logged(server, "service.requested", action="stop", administrator="user1@fullon"))
        assert not logged(server)
