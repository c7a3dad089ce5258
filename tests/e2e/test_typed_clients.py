"""Clients that are generated from schema.graphql by the configurations to copy: their types, and their operations."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import tickers
from tests.fixtures.clients import FOLDER as CLIENTS
from tests.fixtures.clients import StartClient
from tests.fixtures.node import answer
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, bearer
from tests.fixtures.signing_in import SignIn

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "examples" / "typed_clients"
TYPED = Path(__file__).parent / "typed"
WEB = ROOT / "web"

STRICT = [
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--strict",
    "--noUncheckedIndexedAccess",
    "--types",
    "node",
    "--skipLibCheck",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the schema, the operations and both configurations."""
    for file in (*SOURCES.iterdir(), ROOT / "schema.graphql"):
        shutil.copy(file, tmp_path)
    return tmp_path


async def run(command: list[str], folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Run a command in `folder`; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(120):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def node_packages() -> Path:
    """The packages of the pages, which have graphql-codegen and the compiler."""
    install = [sys.executable, str(WEB / "build.py"), "--packages"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install the packages of the pages: {done.stdout[-500:]}")
    return WEB / "node_modules"


async def test_typescript_client_compiles_and_reads_writes_and_subscribes(
    folder: Path, server: Server, sign_in: SignIn, redis: Redis, start_client: StartClient
) -> None:
    assert start_client, "the packages with which it runs are installed"
    (folder / "node_modules").symlink_to(await asyncio.to_thread(node_packages))
    (folder / "package.json").write_text('{"type": "module"}')
    for file in TYPED.iterdir():
        shutil.copy(file, folder)
    await run(["node", "generate.mjs"], folder)
    await run(["node_modules/.bin/tsc", "main.ts", "--outDir", "compiled", *STRICT], folder)

    compiled = folder / "compiled"
    (compiled / "node_modules").symlink_to(CLIENTS / "node_modules")
    for file in (TYPED / "start.mjs", CLIENTS / "websocket.mjs"):
        shutil.copy(file, compiled)
    await tickers.write(redis, [tickers.Ticker("kraken", "BTC/USD", 100.5, 1.0)])
    given = {"url": f"{server.url}/graphql", "socketUrl": server.socket_url, "token": await sign_in(TRADER)}
    printed = await answer(compiled / "start.mjs", given)
    assert datetime.fromisoformat(printed.pop("since")).tzinfo is not None
    assert printed == {"total": 5, "name": "renamed", "symbol": "BTC/USD", "price": "100.50"}


def generator(folder: Path) -> dict[str, str]:
    """An environment in which Python has the generator."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    pinned = ["--require-hashes", "--target", str(folder), "-r", str(TYPED / "requirements.txt")]
    done = subprocess.run([*pip, *pinned], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    return os.environ | {"PYTHONPATH": str(folder)}


async def test_python_client_reads_writes_and_subscribes(
    folder: Path, server: Server, sign_in: SignIn, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = await asyncio.to_thread(generator, folder / "generator")
    command = [sys.executable, "-m", "ariadne_codegen", "--config", "ariadne-codegen.toml"]
    await run(command, folder, environment)
    monkeypatch.syspath_prepend(folder)
    generated = importlib.import_module("fullon_client")

    await tickers.write(redis, [tickers.Ticker("kraken", "BTC/USD", 100.5, 1.0)])
    credential = bearer(await sign_in(TRADER))
    async with generated.Client(
        url=f"{server.url}/graphql", headers=credential,
        ws_url=server.socket_url, ws_connection_init_payload=credential,
    ) as client:  # fmt: skip
        bots = (await client.bots(last=2)).bots
        assert bots.total_count == 5
        assert bots.nodes[0].timestamp.astimezone(UTC) < datetime.now(UTC)
        renamed = await client.rename_bot(bot_id=1, name="renamed")
        assert renamed.update_bot.name == "renamed"
        with pytest.raises(generated.GraphQLClientGraphQLMultiError, match="No Bot with key 6"):
            await client.rename_bot(bot_id=6, name="renamed")
        async with asyncio.timeout(30), aclosing(client.price(exchange="kraken", symbol="BTC/USD")) as prices:
            assert (await anext(prices)).ticker.price == 100.5
