"""`fullon-graphql exchanges` with an exchange on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from typer.testing import CliRunner, Result

from fullon_graphql.cache import keys
from fullon_graphql.cli.exchanges import app
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Exchange, Symbol, SymbolStep, User
from tests.fixtures.loopback.exchange import Instrument
from tests.fixtures.loopback.kraken import LoopbackKraken
from tests.fixtures.rows import add, person

STEPS = select(Symbol.symbol, SymbolStep.price_step, SymbolStep.amount_step, SymbolStep.min_notional).join(
    SymbolStep, SymbolStep.symbol_id == Symbol.symbol_id
)


@pytest.fixture
async def kraken(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[LoopbackKraken]:
    """An exchange that the commands use, and the stores of this test."""
    exchange = LoopbackKraken(
        Instrument("BTC/USD", price_decimals=1), Instrument("ETH/USD"), Instrument("LONGNAME/USD")
    )
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("FULLON_HOME", str(tmp_path))
    async with exchange.running():
        monkeypatch.setenv("EXCHANGE_URLS", json.dumps(exchange.urls))
        yield exchange


async def run(*arguments: str) -> Result:
    """Run in a thread: a command starts its own event loop."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env={"COLUMNS": "160"}))


async def test_add_writes_catalogue_rows_and_refresh_renews_them(
    kraken: LoopbackKraken, database: Database, redis: Redis
) -> None:
    await redis.set(keys.cached_symbols_of_exchange(1), "stale")
    added = await run("add", "kraken", "--symbols", "BTC/USD, ETH/USD")
    assert added.exit_code == 0, added.output
    symbols = select(Symbol.symbol, Symbol.base, Symbol.quote, Symbol.decimals, Symbol.futures).order_by(Symbol.symbol)
    rows = [tuple(row) for row in await database.rows(symbols)]
    assert rows == [("BTC/USD", "BTC", "USD", 8, False), ("ETH/USD", "ETH", "USD", 8, False)]
    assert set(await database.rows(STEPS)) == {("BTC/USD", 0.1, 1e-8, 5.0), ("ETH/USD", 0.01, 1e-8, 5.0)}
    [(cat_ex_id,)] = await database.rows(select(CatExchange.cat_ex_id))
    assert not await redis.exists(keys.cached_symbols_of_exchange(cat_ex_id))

    kraken.instruments["BTC/USD"].price_decimals = 2
    del kraken.instruments["ETH/USD"]
    refreshed = await run("refresh")
    assert refreshed.exit_code == 0, refreshed.output
    assert "kraken: 1 symbols renewed." in refreshed.output
    assert "no longer has ETH/USD" in refreshed.output
    assert set(await database.rows(STEPS)) == {("BTC/USD", 0.01, 1e-8, 5.0), ("ETH/USD", 0.01, 1e-8, 5.0)}

    listed = await run("list")
    assert "BTC/USD" in listed.output
    assert "1e-08" in listed.output


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("BTC/USDX", "kraken has no symbol 'BTC/USDX'. Some that it has: BTC/USD"),
        ("LONGNAME/USD", "'LONGNAME/USD' does not fit into the catalogue: `base` has 8 characters"),
    ],
)
async def test_add_of_an_impossible_symbol_writes_nothing(
    kraken: LoopbackKraken, database: Database, symbols: str, message: str
) -> None:
    result = await run("add", "kraken", "--symbols", f"ETH/USD,{symbols}")
    assert result.exit_code == 1
    assert message in result.output
    assert not await database.rows(select(Symbol.symbol))


async def test_add_of_an_unknown_exchange_is_one_line(kraken: LoopbackKraken, database: Database) -> None:
    result = await run("add", "krakken", "--symbols", "BTC/USD")
    assert result.exit_code == 1
    assert result.output.strip() == "ccxt knows no exchange 'krakken'."


async def test_check_reports_clock_symbols_and_keys(
    kraken: LoopbackKraken, database: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run("add", "kraken", "--symbols", "BTC/USD,ETH/USD")
    good = await run("check")
    assert good.exit_code == 0, good.output
    assert "kraken answers and has 3 symbols." in good.output

    [(cat_ex_id,)] = await database.rows(select(CatExchange.cat_ex_id))
    await add(database, User, person(7))
    accounts = [{"ex_id": n, "uid": 7, "cat_ex_id": cat_ex_id, "name": f"account{n}"} for n in (1, 2, 3, 4)]
    await add(database, Exchange, *accounts)
    kraken.open_wallet("goodkey1", "c2VjcmV0c2VjcmV0", USD=1.0)
    kraken.open_wallet("halfkey4", "c2VjcmV0c2VjcmV0", USD=1.0).denied |= {"TradesHistory", "GetWebSocketsToken"}
    for number, key in [(1, "goodkey1"), (2, "badkey22"), (4, "halfkey4")]:
        monkeypatch.setenv(f"EX_ID_{number}_KEY", key)
        monkeypatch.setenv(f"EX_ID_{number}_SECRET", "c2VjcmV0c2VjcmV0")
    kraken.faults.clock_ahead = 90
    del kraken.instruments["ETH/USD"]
    result = await run("check", "kraken")
    assert result.exit_code == 1
    assert "kraken has no ETH/USD." in result.output
    assert "its clock is 90." in result.output or "its clock is 89." in result.output
    assert "account 1 (account1): the keys read balances, orders, fills, positions." in result.output
    assert "account 1 (account1): changes are announced over a stream." in result.output
    assert "account 2 (account2): the keys do not read balances: AuthenticationError" in result.output
    assert "account 4 (account4): the keys read balances, orders, positions." in result.output
    assert "account 4 (account4): the keys do not read fills: PermissionDenied" in result.output
    assert "account 4 (account4): the account is polled, because there is no stream: PermissionDenied" in result.output
    assert "account 3 (account3): no keys; set EX_ID_3_KEY" in result.output
    assert "badkey22" not in result.output
    assert "c2VjcmV0" not in result.output


async def test_exchange_that_does_not_answer_is_one_line(
    kraken: LoopbackKraken, database: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run("add", "kraken", "--symbols", "BTC/USD")
    monkeypatch.setenv("EXCHANGE_URLS", json.dumps({"kraken": {"rest": "http://127.0.0.1:1"}}))
    result = await run("check")
    assert result.exit_code == 1
    assert result.output.startswith("kraken does not answer: ExchangeNotAvailable")
