"""docs/architecture.md follows a query and an event through files that they really pass through."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

import httpx
import orjson
import pytest
import uvicorn
from redis.asyncio import Redis
from websockets.asyncio.client import connect

from fullon_graphql.app import create_app
from fullon_graphql.cache import keys
from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings
from fullon_graphql.engine import background
from fullon_graphql.server.uvicorn_config import uvicorn_config
from tests.docs.documents import ROOT
from tests.fixtures.server import bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import PROTOCOL, Socket

PACKAGE: Final = ROOT / "fullon_graphql"
QUERY: Final = "{ orders(first: 3) { nodes { orderId side bot { name } } } }"
SUBSCRIPTION: Final = 'subscription { ticker(exchange: "kraken", symbol: "BTC/USD") { price } }'
LIMITS: Final = {"A query over HTTP": 18, "An event over WebSocket": 8}
"""The most files that one must open to follow each walk."""
_STEP: Final = re.compile(r"^\| (\d+) \| `(\S+)` \|", re.MULTILINE)


def walk(title: str) -> list[str]:
    """The files of a walk, in the order of the page."""
    page = (ROOT / "docs/architecture.md").read_text()
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    steps = _STEP.findall(section)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    return [file for _, file in steps]


@contextmanager
def executed_files() -> Iterator[set[str]]:
    """The files of the package in which a function is called during the block, on this thread or the planner's."""
    files, prefix = set[str](), f"{PACKAGE}/"

    def record(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and (name := frame.f_code.co_filename).startswith(prefix):
            files.add(name.removeprefix(prefix))

    threading.setprofile(record)  # of threads that start from now on
    sys.setprofile(record)
    try:
        with ThreadPoolExecutor(1) as planner, patch.object(background, "_thread", planner):
            yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[str]:
    """Host and port of a server in this process."""
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()  # clients wait in the queue until the server has started
        server = uvicorn.Server(uvicorn_config(create_app(settings).handle, settings))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield "{}:{}".format(*listening.getsockname()[:2])
        finally:
            server.should_exit = True
            await serving


@pytest.mark.parametrize("title", LIMITS)
def test_walk_names_existing_files_within_its_limit(title: str) -> None:
    files = walk(title)
    assert 0 < len(set(files)) == len(files) <= LIMITS[title]
    assert [file for file in files if not (PACKAGE / file).is_file()] == []


async def test_query_passes_through_the_files_of_its_walk(address: str, sign_in: SignIn) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=bearer(await sign_in(2)), timeout=60) as client:
        await client.get("/health/live")  # the server has started
        with executed_files() as files:
            answer = (await client.post("/graphql", json={"query": QUERY})).json()
    assert len(answer["data"]["orders"]["nodes"]) == 3
    assert set(walk("A query over HTTP")) - files == set()


async def test_event_passes_through_the_files_of_its_walk(address: str, sign_in: SignIn, redis: Redis) -> None:
    async with connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL], proxy=None) as connection:
        socket = Socket(connection)
        await socket.sign_in({"authorization": await sign_in(2)})
        await redis.hset(keys.tickers("kraken"), "BTC/USD", ticker(1))
        await socket.subscribe("1", SUBSCRIPTION)
        assert await socket.next("1") == {"ticker": {"price": 1}}
        with executed_files() as files:
            await redis.publish(keys.ticker_updates("kraken", "BTC/USD"), ticker(2))
            assert await socket.next("1") == {"ticker": {"price": 2}}
    assert set(walk("An event over WebSocket")) - files == set()


def ticker(price: float) -> bytes:
    return orjson.dumps({"price": price, "time": time.time()})
