"""The demo as a process: one command starts everything, and it leaves no process behind."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.fixtures.eventually import eventually_equal
from tests.fixtures.loopback.exchange import Instrument, Quote
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.shared import shared

TIMEOUT = 90
"""Seconds after which a step counts as hanging. Not a measure of speed: the first start loads data."""

POLL = 0.5
"""Seconds between two requests of a poll: a demo has the limits of production, on requests and on their cost."""

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(?=/desk)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests: filling it takes long."""
    return tmp_path_factory.mktemp("demo") / "home"


@dataclass
class Demo:
    """A running demo, its printed address, and every process it has started."""

    process: asyncio.subprocess.Process
    url: str
    seconds: float
    output: list[str] = field(default_factory=list)

    @property
    def engines(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def end(self, number: signal.Signals) -> str:
        """Send a signal and return the last output."""
        assert self.process.stdout is not None
        self.process.send_signal(number)
        async with asyncio.timeout(TIMEOUT):
            last = await self.process.stdout.read()
            await self.process.wait()
        return last.decode()

    async def ask(self, query: str, token: str) -> Any:
        async with httpx.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=60
        ) as client:
            answer = (await client.post("/graphql", json={"query": query})).json()
        assert "errors" not in answer, answer
        return answer["data"]


def environment(home: Path, **changes: str) -> dict[str, str]:
    return os.environ | {"FULLON_HOME": str(home)} | changes


@asynccontextmanager
async def demo(home: Path, *words: str, **changes: str) -> AsyncIterator[Demo]:
    """A ready demo on `home`, terminated at the end of the block; `changes` are to its environment."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fullon_graphql.cli", "demo", "--port", "0", "--no-pages", *words,
        env=environment(home, **changes), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    output: list[str] = []
    try:
        async with asyncio.timeout(TIMEOUT):
            while "Ready." not in (line := (await process.stdout.readline()).decode()):
                assert line, output
                output.append(line)
        address = ADDRESS.search("".join(output))
        assert address, output
        yield Demo(process, address[0], time.monotonic() - started, output)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def run(home: Path, *words: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error of a command beside the demo."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fullon_graphql.cli", *words,
        env=environment(home), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(TIMEOUT):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that have not ended. Orphaned zombies have ended."""
    return [one for one in processes if one.is_running() and _property(one.status) not in {None, psutil.STATUS_ZOMBIE}]


def names(processes: list[psutil.Process]) -> set[str | None]:
    return {_property(process.name) for process in processes}


def _property(ask: Callable[[], str]) -> str | None:
    """A property of a process; None if it has just ended, as PostgreSQL's workers do."""
    try:
        return ask()
    except psutil.NoSuchProcess:
        return None


async def test_demo_starts_everything_and_ctrl_c_stops_it(home: Path, tmp_path: Path) -> None:
    async with demo(home) as running:
        engines = running.engines
        assert names(engines) >= {"postgres", "redis-server"}
        assert "fullon-demo" in "".join(running.output)

        code, out, _ = await run(home, "token", "trader@fullon")
        assert code == 0
        data = await running.ask("{ me { mail isAdmin } services { state } }", await admin(home))
        assert data == {"me": {"mail": "admin@fullon", "isAdmin": True}, "services": data["services"]}
        assert (await running.ask("{ me { mail } }", out.strip()))["me"] == {"mail": "trader@fullon"}
        code, out, _ = await run(home, "user", "list")
        assert (code, [mail in out for mail in ("admin@fullon", "trader@fullon", "other@fullon")]) == (0, [True] * 3)

        recording = tmp_path / "trades.csv"
        recording.write_text("time_ms,trade_id,side,price,volume\n1570752011620,1,sell,2,23\n")
        imported = await run(
            home, "ohlcv", "import-trades", str(recording), "--exchange", "kraken", "--symbol", "OWN/USD"
        )
        assert imported[0] == 0
        assert await own_bars(running, home) == [{"close": 2.0}]

        port = running.url.rpartition(":")[2]
        for words, line in (
            (("demo", "--port", "0"), f"{home} is in use by process {running.process.pid}."),
            (("demo", "--port", port), f"127.0.0.1:{port} cannot be used"),
            (("serve", "--port", port), f"127.0.0.1:{port} cannot be used"),
        ):
            code, out, err = await run(home, *words)
            assert code == 1
            assert line in err
            assert len((out + err).strip().splitlines()) == 1, out + err

        last = await running.end(signal.SIGINT)
    assert running.process.returncode == 0, last
    assert "Traceback" not in last
    assert "kept for the next start" in last
    assert not alive(engines)
    assert not (home / "demo.env").exists()
    print(f"first start: {running.seconds:.1f} s")  # noqa: T201  # a figure for people, with -s


async def test_demo_takes_over_engines_and_data_of_a_killed_run(home: Path) -> None:
    async with demo(home) as first:
        orders = await count_orders(first, home)
        left = first.engines
        first.process.kill()
        await first.process.wait()
    assert names(alive(left)) >= {"postgres", "redis-server"}
    async with demo(home) as second:
        assert await count_orders(second, home) >= orders
        engines = second.engines
        last = await second.end(signal.SIGTERM)
    assert second.process.returncode == 0, last
    assert "Traceback" not in last
    assert not alive([*left, *engines])
    print(f"start: {first.seconds:.1f} s, after a crash: {second.seconds:.1f} s")  # noqa: T201  # as above


async def test_commands_without_a_demo_fail_with_one_line(tmp_path: Path) -> None:
    for words in (("user", "list"), ("db", "doctor")):
        code, _, err = await run(tmp_path, *words)
        assert code == 1
        assert len(err.strip().splitlines()) == 1, err
        assert "start the demo" in err


ABSENT = json.dumps({name: {"rest": "http://127.0.0.1:9", "ws": "ws://127.0.0.1:9"} for name in ("kraken", "okx")})
"""The value of EXCHANGE_URLS with exchanges that do not answer."""


async def test_demo_shows_the_market_of_a_real_exchange(tmp_path: Path) -> None:
    """A live price, the recorded candles of the past hour, and no simulated price between them."""
    kraken = LoopbackKraken(Instrument("BTC/USD"), Instrument("ADA/BTC", price_decimals=8), Instrument("XRP/ETH"))
    now = time.time() // 60 * 60
    with gzip.open(shared("market-data/xrp-eth-trades.csv.gz"), "rt") as file:
        trades = [row for row in csv.DictReader(file) if int(row["time_ms"]) < 1_570_755_600_000]
    with gzip.open(shared("market-data/xrp-eth-candles-1m.csv.gz"), "rt") as file:
        rows = [row for row in csv.DictReader(file) if int(row["time_ms"]) < 1_570_755_600_000]
    for row in trades:
        at = now - 1_570_755_600 + int(row["time_ms"]) / 1000
        kraken.record("XRP/ETH", float(row["price"]), float(row["volume"]), row["side"], at)
    bars = [{name: float(row[name]) for name in ("open", "high", "low", "close", "volume")} for row in rows]
    last = len(bars) + 1  # one more than there must be, at a fraction of the cost of all
    candles = (
        f'{{ candles(exchange: "kraken", symbol: "XRP/ETH", timeframe: M1, last: {last})'
        " { open high low close volume } }"
    )
    market = (
        '{ ticker(exchange: "kraken", symbol: "ADA/BTC") { price bid ask } catExchanges { name }'
        ' symbol(exchange: "kraken", symbol: "ADA/BTC") { priceStep minNotional } orders(first: 1) { nodes { symbol } } }'
    )
    expected = {
        "ticker": {"price": 2.178e-05, "bid": 2.175e-05, "ask": 2.179e-05},
        "catExchanges": [{"name": "kraken"}],
        "symbol": {"priceStep": 1e-08, "minNotional": 5.0},
        "orders": {"nodes": [{"symbol": "BTC/USD"}]},
    }
    async with kraken.running():
        urls = json.loads(ABSENT) | kraken.urls
        words = ("--market", "kraken", "--market", "okx")
        async with demo(tmp_path, *words, EXCHANGE_URLS=json.dumps(urls)) as running:
            assert "okx cannot be reached: ExchangeNotAvailable" in "".join(running.output)
            token = await admin(tmp_path)
            await eventually_equal(lambda: running.ask(candles, token), {"candles": bars}, TIMEOUT, interval=POLL)
            await kraken.tick("ADA/BTC", Quote(last=2.178e-05, bid=2.175e-05, ask=2.179e-05))
            await eventually_equal(lambda: running.ask(market, token), expected, TIMEOUT, interval=POLL)


async def test_demo_shows_the_simulated_market_if_no_exchange_answers(home: Path) -> None:
    async with demo(home, "--market", "kraken", EXCHANGE_URLS=ABSENT) as running:
        output = "".join(running.output)
        assert "kraken cannot be reached: ExchangeNotAvailable" in output
        assert "The demo shows the simulated market." in output
        found = await running.ask("{ catExchanges { name } }", await admin(home))
    assert [one["name"] for one in found["catExchanges"]] == ["kraken", "bitmex", "binance"]


async def test_unknown_exchange_ends_the_demo_before_it_starts(tmp_path: Path) -> None:
    code, out, err = await run(tmp_path / "home", "demo", "--port", "0", "--market", "krakken")
    assert (code, out, err.strip()) == (1, "", "ccxt knows no exchange 'krakken'.")
    assert not (tmp_path / "home").exists()


async def admin(home: Path) -> str:
    code, out, err = await run(home, "token", "admin@fullon")
    assert code == 0, err
    return out.strip()


async def count_orders(running: Demo, home: Path) -> int:
    return int((await running.ask("{ orders { totalCount } }", await admin(home)))["orders"]["totalCount"])


async def own_bars(running: Demo, home: Path) -> Any:
    query = '{ candles(exchange: "kraken", symbol: "OWN/USD", timeframe: M1) { close } }'
    return (await running.ask(query, await admin(home)))["candles"]
