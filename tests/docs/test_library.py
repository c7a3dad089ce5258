"""The code of docs/library.md, run as it is written under a plain uvicorn."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest
import uvicorn
from redis.asyncio import Redis
from websockets.asyncio.client import connect

from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.cli.listening import listening_socket
from tests.docs.documents import ROOT, blocks
from tests.fixtures.server import bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import PROTOCOL, Socket

PAGE: Final = ROOT / "docs/library.md"
MOUNTED, COMPOSED = [block.text for block in blocks(PAGE) if block.language == "python"]
ME: Final = "{ me { uid } }"
TICKER: Final = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }'


@pytest.fixture(autouse=True)
def _environment(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Host and port of `app` under uvicorn with its own protocols."""
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield "{}:{}".format(*listening.getsockname()[:2])
        finally:
            server.should_exit = True
            await task


def app_of(code: str) -> Any:
    names: dict[str, Any] = {}
    exec(code, names)
    return names["app"]


@pytest.mark.parametrize(("code", "prefix"), [(MOUNTED, "/fullon"), (COMPOSED, "/trading")], ids=["mounted", "routers"])
async def test_application_works_inside_another_one(code: str, prefix: str, sign_in: SignIn, redis: Redis) -> None:
    token = await sign_in(2)
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 1.0, 1.0)])
    async with serving(app_of(code)) as address:
        async with httpx.AsyncClient(base_url=f"http://{address}{prefix}", timeout=60) as client:
            assert (await client.get("/health/ready")).status_code == 200
            mine = await client.post("/graphql", json={"query": ME}, headers=bearer(token))
            assert mine.json() == {"data": {"me": {"uid": 2}}}
            assert "x-request-id" in mine.headers
            for path in ("/api/v1/orm/bots", "/api/orm/bots", "/api/v1/db/bots/"):
                bots = await client.get(path, headers=bearer(token))
                assert bots.status_code == 200, bots.text
            refused = await client.get("/api/v1/orm/bots")
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
        async with connect(f"ws://{address}{prefix}/graphql", subprotocols=[PROTOCOL], proxy=None) as connection:
            socket = Socket(connection)
            await socket.sign_in({"authorization": token})
            await socket.subscribe("1", TICKER)
            assert await socket.next("1") == {"ticker": {"price": 1}}
        async with connect(f"ws://{address}{prefix}/ws?token={token}", proxy=None) as connection:
            await connection.send('{"operation": "ping", "request_id": 1}')
            assert "request_id" in str(await connection.recv())


async def test_routers_are_in_the_openapi_of_the_including_application() -> None:
    paths = app_of(COMPOSED).openapi()["paths"]
    assert {"/trading/api/v1/orm/bots", "/trading/health/ready"} <= set(paths)
    assert not [path for path in paths if not path.startswith("/trading/")]


async def test_mounted_application_has_its_own_openapi() -> None:
    async with serving(app_of(MOUNTED)) as address, httpx.AsyncClient(base_url=f"http://{address}/fullon") as client:
        assert "/fullon/openapi.json" in (await client.get("/docs")).text
        description = (await client.get("/openapi.json")).json()
        assert "/api/v1/orm/bots" in description["paths"]


async def test_documented_command_serves_the_graph() -> None:
    [command] = re.findall(r"^\$ (uvicorn \S+)$", PAGE.read_text(), re.MULTILINE)
    options = ["--port", "0", "--log-level", "info"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command.split(), *options, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(rb"running on (http://\S+)", await process.stderr.readline())):
                pass
        async with httpx.AsyncClient(base_url=found[1].decode(), timeout=60) as client:
            assert (await client.get("/health/live")).json() == {"status": "alive"}
    finally:
        process.terminate()
        await process.communicate()
