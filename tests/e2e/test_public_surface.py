"""Settings that select the public parts."""

from __future__ import annotations

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.fixtures.rows import TRADER
from tests.fixtures.server import StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn

BROWSER = {"accept": "text/html"}


async def test_everything_can_be_switched_off(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    off = {"DOCS_ENABLED": "false", "GRAPHIQL_ENABLED": "false", "INTROSPECTION": "false", "METRICS_TOKEN": "secret"}
    async with start_in_process(**off) as server, httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert (await client.get(path)).status_code == 404
        assert "html" not in (await client.get("/graphql", headers=BROWSER)).headers["content-type"]
        token = await sign_in(TRADER)
        for field in ("__schema { types { name } }", '__type(name: "User") { name }', "_service { sdl }"):
            for credential in (None, token):
                answer = await server.ask(f"{{ {field} }}", credential)
                assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
        assert (await server.ask("{ __typename me { __typename uid } }", token))["data"]["me"]["uid"] == TRADER
        assert "Did you mean" not in str(await server.ask("{ mee { uid } }", token))
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=bearer("wrong"))).status_code == 401
        assert (await client.get("/metrics", headers=bearer("secret"))).status_code == 200


async def test_documentation_pages_have_a_policy_for_their_scripts(start_in_process: StartInProcess) -> None:
    async with start_in_process() as server, httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for path in ("/docs", "/redoc"):
            page = await client.get(path)
            assert page.status_code == 200
            [policy] = page.headers.get_list("content-security-policy")
            assert "script-src https://cdn.jsdelivr.net" in policy
            assert policy.count("sha256-") == page.text.count("<script>")


async def test_metrics_have_a_port_of_their_own(start_server: StartServer, unused_tcp_port: int) -> None:
    async with start_server(METRICS_PORT=str(unused_tcp_port)) as server, httpx.AsyncClient(timeout=30) as client:
        assert (await client.get(f"{server.url}/metrics")).status_code == 404
        metrics = f"http://127.0.0.1:{unused_tcp_port}"
        assert (await client.get(f"{metrics}/metrics")).status_code == 200
        for path in ("/", "/health", "/health/live", "/graphql", "/docs", "/api/v1/orm/bots", "/metrics/", "/desk"):
            absent = await client.get(f"{metrics}{path}")
            assert (absent.status_code, absent.json()["error"]["code"]) == (404, "NOT_FOUND"), path
        assert (await client.post(f"{metrics}/graphql", json={"query": "{ __typename }"})).status_code == 404
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"ws://127.0.0.1:{unused_tcp_port}/graphql", proxy=None)
