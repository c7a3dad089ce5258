"""Secrets that callers send and settings contain appear in no log, no error and no type."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.fixtures.eventually import eventually
from tests.fixtures.rows import TRADER
from tests.fixtures.server import ServerProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import PROTOCOL

MARK: Final = "zq7marker"
"""Part of every secret of these tests, so that one search finds any of them."""

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "a wrong password": {
        "query": 'mutation ($p: String!) { login(mail: "user2@fullon", password: $p) { accessToken } }',
        "variables": {"p": f"password-{MARK}"},
    },
    "a wrong password in the document": {
        "query": f'mutation {{ login(mail: "user2@fullon", password: "literal-{MARK}") {{ accessToken }} }}'
    },
    "a wrong one-time code": {
        "query": f'mutation {{ login(mail: "user2@fullon", password: "x", totp: "{MARK}") {{ accessToken }} }}'
    },
    "a document that cannot be parsed": {
        "query": f'mutation {{ login(mail: "user2@fullon", password: "parsed-{MARK}") {{ accessToken }}'
    },
    "a document that is not valid": {
        "query": f'mutation {{ login(mail: "user2@fullon", password: "valid-{MARK}", nonsense: 1) {{ nothing }} }}'
    },
    "a refresh token that does not exist": {
        "query": f'mutation {{ refreshToken(refreshToken: "refresh-{MARK}") {{ accessToken }} }}'
    },
    "a wrong old password": {
        "query": f'mutation {{ changePassword(currentPassword: "{MARK}-old", newPassword: "{MARK}-new") }}'
    },
}


@pytest.fixture
async def server(start_server: StartServer, environment: dict[str, str]) -> AsyncIterator[ServerProcess]:
    """A server with the most detailed log, and with secrets in its settings."""
    secrets = {
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "DB_PASSWORD": f"database-{MARK}",
        "REDIS_PASSWORD": f"redis-{MARK}",
        "EX_ID_1_KEY": f"exchange-key-{MARK}",
        "EX_ID_1_SECRET": f"exchange-secret-{MARK}",
        "DATABASE_URL": environment["DATABASE_URL"].replace("postgres@", f"postgres:dsn-{MARK}@"),
    }
    async with start_server(**secrets) as server:
        yield server


async def assert_not_logged(server: ServerProcess) -> None:
    """No line of the log has a marker, the last request included."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        last = (await client.get("/health/ready")).headers["x-request-id"]
    assert last
    assert [line for line in server.log if MARK in line] == []


async def test_log_and_errors_contain_no_secret_of_any_request(server: ServerProcess, sign_in: SignIn) -> None:
    await _send_secrets(server, await sign_in(TRADER))
    await _send_credentials(server)
    await _send_messages(server)
    await _create_key(server, await sign_in(TRADER))
    await assert_not_logged(server)


async def _send_secrets(server: ServerProcess, token: str) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for name, request in REQUESTS.items():
            for headers in ({}, bearer(token)):
                response = await client.post("/graphql", json=request, headers=headers)
                by_get = await client.get("/graphql", params={"query": request["query"]}, headers=headers)
                assert "errors" in response.json(), name
                assert MARK not in response.text, name
                assert MARK not in by_get.text, name


async def _send_credentials(server: ServerProcess) -> None:
    credentials = (
        {"authorization": f"Bearer token-{MARK}"},
        {"authorization": f"Basic {MARK}"},
        {"x-api-key": f"key-{MARK}"},
        {"cookie": f"session={MARK}"},
    )
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for headers in credentials:
            for path in ("/api/v1/orm/bots", "/api/v1/auth/verify", "/api/v1/nothing"):
                response = await client.get(path, headers=headers)
                assert response.status_code in {401, 404}, path
                assert MARK not in response.text
            assert MARK not in (await client.post("/graphql", json={"query": "{ me { uid } }"}, headers=headers)).text
        for body in ({"data": {"username": "user2@fullon", "password": MARK}}, {"json": {"password": MARK}}):
            response = await client.post("/api/v1/auth/login", **body)  # type: ignore[arg-type]  # form or JSON
            assert response.status_code >= 400
            assert MARK not in response.text


async def _send_messages(server: ServerProcess) -> None:
    heard: list[object] = []
    address = server.url.replace("http", "ws", 1)
    for path, first in (
        ("/graphql", {"type": "connection_init", "payload": {"authorization": f"Bearer {MARK}", "password": MARK}}),
        ("/graphql", {"type": MARK, "token": MARK}),
        (f"/ws?token={MARK}", {"operation": "ping", "token": MARK}),
        (f"/api/v1/cache/ws/tickers/me?token={MARK}", {"action": "auth", "token": MARK}),
    ):
        protocols = [PROTOCOL] if path == "/graphql" else None
        try:
            async with connect(address + path, subprotocols=protocols, proxy=None) as connection:
                await connection.send(json.dumps(first))
                async for message in connection:
                    heard.append(message)
                    break
                await connection.close()
                heard.append(connection.close_reason)
        except WebSocketException as error:
            heard.append(repr(error))
    assert [text for text in heard if MARK in str(text)] == []


async def _create_key(server: ServerProcess, token: str) -> None:
    create = 'mutation { createApiKey(input: {name: "n", scopes: ["read"]}) { key apiKey { name } } }'
    answer = await server.ask(create, token)
    assert "errors" not in answer, answer
    key = answer["data"]["createApiKey"]["key"]
    listed = (await server.post("{ me { apiKeys { nodes { name uid } } } }", bearer(token))).text
    assert key not in listed
    assert (await server.ask("{ me { uid } }", None)).get("errors")
    async with httpx.AsyncClient(base_url=server.url) as client:
        mine = await client.post("/graphql", json={"query": "{ me { uid } }"}, headers={"x-api-key": key})
    assert mine.json() == {"data": {"me": {"uid": TRADER}}}
    assert [line for line in server.log if key in line] == []


async def test_log_of_a_server_without_stores_contains_no_secret(start_server: StartServer) -> None:
    unreachable = {
        "LOG_LEVEL": "DEBUG",
        "DATABASE_URL": f"postgresql://user:dsn-{MARK}@127.0.0.1:1/fullon",
        "OHLCV_DATABASE_URL": f"postgresql://user:ohlcv-{MARK}@127.0.0.1:1/fullon",
        "REDIS_URL": f"redis://:redis-{MARK}@127.0.0.1:1/0",
    }
    async with start_server("/health/live", **unreachable) as server:
        health = await server_text(server, "/health")
        answer = await server.post("{ me { uid } }", {"x-api-key": f"key-{MARK}"})
        login = await server.post(REQUESTS["a wrong password"]["query"], p=MARK)
        await eventually(lambda: server.log)
        for text in (health, answer.text, login.text, *server.log):
            assert MARK not in text


async def server_text(server: ServerProcess, path: str) -> str:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        return (await client.get(path)).text
