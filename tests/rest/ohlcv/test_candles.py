"""Candles and public trades over REST, in the platform's envelope."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from fullon_graphql import models
from fullon_graphql.database import Database
from tests.fixtures.rest import Rest, RestClient
from tests.fixtures.rows import TRADER, add
from tests.ohlcv.filling import NOON, Trade, minutes, put_candles, put_trades, run

ENVELOPE = {"success", "message", "timestamp", "count", "offset", "limit", "total_available", "start_time", "end_time"}
DAY = {"start_time": "2024-03-04T00:00:00Z", "end_time": "2024-03-05T00:00:00Z"}


@pytest.fixture
async def trader(rest: Rest) -> RestClient:
    return await rest.as_(TRADER)


@pytest.fixture
async def market(ohlcv_database: Database) -> None:
    """Minutes 0, 1 and 4 of BTC/USD on kraken; four trades of GOLD, two of them at the same time."""
    await put_candles(ohlcv_database, "BTC/USD", minutes(0, 1, 4))
    trades = [Trade(NOON + timedelta(seconds=second), float(i), 1.0, str(i)) for i, second in enumerate((0, 5, 5, 9))]
    await put_trades(ohlcv_database, "GOLD", trades)


def times(bars: list[dict[str, Any]]) -> list[int]:
    """Minutes after noon."""
    return [round((datetime.fromisoformat(bar["timestamp"]) - NOON) / timedelta(minutes=1)) for bar in bars]


@pytest.mark.usefixtures("market")
async def test_newest_candles_are_in_the_envelope(trader: RestClient) -> None:
    answer = await trader.get("ohlcv/candles/kraken/BTC/USD/1m", limit=2)
    assert answer.keys() == ENVELOPE | {"candles", "exchange", "symbol", "timeframe"}
    assert (answer["success"], answer["message"], answer["count"], answer["limit"]) == (True, None, 2, 2)
    assert (answer["exchange"], answer["symbol"], answer["timeframe"]) == ("kraken", "BTC/USD", "1m")
    assert answer["candles"][1] == {
        "timestamp": "2024-03-04T12:04:00+00:00", "open": 4.0, "high": 4.0, "low": 4.0, "close": 4.0, "vol": 1.0
    }  # fmt: skip
    assert times(answer["candles"]) == [1, 4]
    assert times((await trader.get("ohlcv/candles/kraken/BTC/USD/1m", limit=3, fill=True))["candles"]) == [2, 3, 4]


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize("symbol", ["BTC/USD", "BTC%2FUSD", "btc/usd"])
async def test_symbol_may_be_raw_or_percent_encoded(trader: RestClient, symbol: str) -> None:
    answer = await trader.get(f"ohlcv/candles/kraken/{symbol}/5m")
    assert times(answer["candles"]) == [0]
    assert answer["candles"][0]["vol"] == 3


@pytest.mark.usefixtures("market")
async def test_timeframe_may_be_in_the_query(trader: RestClient) -> None:
    in_path = await trader.get("ohlcv/candles/kraken/BTC/USD/5m", limit=9)
    for path, query in (
        ("ohlcv/candles/kraken/BTC/USD", {"timeframe": "5m"}),
        ("ohlcv/ohlcv", {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "5m"}),
        ("ohlcv/ohlcv", {"exchange": "kraken", "symbol": "BTC-USD", "timeframe": "5m"}),
        ("/api/market/ohlcv/BTC-USD", {"timeframe": "5m"}),
        ("/api/v1/market/ohlcv/BTC/USD", {"timeframe": "5m"}),
    ):
        answer = await trader.get(path, **query, limit=9)
        assert {**answer, "timestamp": None} == {**in_path, "timestamp": None}, path
    for path in ("ohlcv/candles/kraken/BTC/USD", "ohlcv/ohlcv/BTC-USD", "ohlcv/ohlcv?exchange=kraken&symbol=BTC/USD"):
        answer = await trader.get(path)
        assert (answer["symbol"], answer["timeframe"], times(answer["candles"])) == ("BTC/USD", "1m", [0, 1, 4])
    assert (await trader.get("ohlcv/candles/kraken/GOLD/1h"))["timeframe"] == "1h"
    assert await trader.refused("ohlcv/candles/kraken/GOLD/1h", timeframe="1h") == (404, "NOT_FOUND")
    assert await trader.refused("ohlcv/candles/kraken/GOLD", timeframe="7m") == (422, "BAD_USER_INPUT")


async def test_symbol_without_exchange_must_be_unique(trader: RestClient, database: Database) -> None:
    assert await trader.refused("ohlcv/ohlcv/NOBODY") == (404, "NOT_FOUND")
    assert (await trader.get("ohlcv/ohlcv/BTC-USD:BTC"))["exchange"] == "bitmex"
    await add(database, models.Symbol, {"symbol": "BTC/USD", "cat_ex_id": 2, "base": "BTC"})
    response = await trader.send("GET", "ohlcv/ohlcv/BTC-USD")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")
    assert "bitmex, kraken" in response.json()["detail"]


async def test_pairs_are_listed_by_exchange(trader: RestClient, database: Database) -> None:
    await add(database, models.CatExchange, {"cat_ex_id": 3, "name": "empty"})
    answer = await trader.get("ohlcv/pairs")
    assert answer.keys() == ENVELOPE | {"pairs"}
    assert answer["pairs"] == {"bitmex": ["BTC/USD:BTC"], "empty": [], "kraken": ["BTC/USD", "GOLD"]}
    assert answer["count"] == 3


@pytest.mark.usefixtures("market")
async def test_range_includes_both_ends(trader: RestClient) -> None:
    bounds = {"start_time": "2024-03-04T12:01:00Z", "end_time": "2024-03-04T13:04:00+01:00"}
    answer = await trader.get("ohlcv/candles/kraken/BTC/USD/1m/range", **bounds)
    assert times(answer["candles"]) == [1, 4]
    assert (answer["start_time"], answer["end_time"]) == ("2024-03-04T12:01:00+00:00", "2024-03-04T12:04:00+00:00")
    trades = (await trader.get("ohlcv/trades/kraken/GOLD/range", **DAY, limit=3))["trades"]
    assert [trade["price"] for trade in trades] == [0.0, 1.0, 2.0]


@pytest.mark.usefixtures("market")
async def test_timeseries_is_filled_by_default(trader: RestClient) -> None:
    bounds = {"start_time": "2024-03-04T11:00:00Z", "end_time": "2024-03-04T12:05:00Z"}
    answer = await trader.get("ohlcv/timeseries/kraken/BTC/USD/ohlcv", **bounds)
    assert times(answer["ohlcv"]) == [0, 1, 2, 3, 4, 5]
    assert answer["trades_processed"] is answer["generation_time_ms"] is None
    assert times((await trader.get("ohlcv/timeseries/kraken/BTC/USD/ohlcv", **bounds, fill=False))["ohlcv"]) == [
        0,
        1,
        4,
    ]
    assert times((await trader.get("ohlcv/timeseries/kraken/BTC/USD/ohlcv", **bounds, limit=2))["ohlcv"]) == [4, 5]


@pytest.mark.usefixtures("market")
async def test_trades_are_in_ascending_order(trader: RestClient) -> None:
    answer = await trader.get("ohlcv/trades/kraken/GOLD")
    assert answer.keys() == ENVELOPE | {"trades", "exchange", "symbol"}
    assert answer["trades"][0] == {
        "timestamp": "2024-03-04T12:00:00+00:00", "price": 0.0, "volume": 1.0, "side": "buy", "type": "market"
    }  # fmt: skip
    assert [trade["price"] for trade in answer["trades"]] == [0.0, 1.0, 2.0, 3.0]
    newest = await trader.get("ohlcv/trades/kraken/GOLD", limit=2)
    assert [trade["price"] for trade in newest["trades"]] == [2.0, 3.0]


async def test_trades_of_tables_without_zone_or_side_are_read(trader: RestClient, ohlcv_database: Database) -> None:
    await run(ohlcv_database, "CREATE SCHEMA bitmex")
    await run(
        ohlcv_database, "CREATE TABLE bitmex.old_trades (timestamp timestamp PRIMARY KEY, price float8, volume float8)"
    )
    await run(ohlcv_database, "INSERT INTO bitmex.old_trades VALUES ('2024-03-04 12:00', 7, 1)")
    expected = {"timestamp": "2024-03-04T12:00:00+00:00", "price": 7.0, "volume": 1.0, "side": None, "type": None}
    assert (await trader.get("ohlcv/trades/bitmex/OLD"))["trades"] == [expected]
    assert (await trader.get("ohlcv/trades/bitmex/OLD/range", **DAY))["trades"] == [expected]


@pytest.mark.parametrize(
    "route", ["trades/{}", "trades/{}/range", "candles/{}/1h", "candles/{}/1h/range", "timeseries/{}/ohlcv"]
)
async def test_catalogued_instrument_is_empty_and_unknown_one_not_found(trader: RestClient, route: str) -> None:
    assert (await trader.get(f"ohlcv/{route}".format("bitmex/BTC/USD:BTC"), **DAY))["count"] == 0
    assert await trader.refused(f"ohlcv/{route}".format("kraken/NOBODY"), **DAY) == (404, "NOT_FOUND")
    assert await trader.refused(f"ohlcv/{route}".format("public/orders"), **DAY) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [("candles/kraken/GOLD/7m", {}), ("candles/kraken/GOLD/1m", {"limit": 5001}), ("candles/kraken/GOLD/1m", {"limit": 0}),
     ("candles/kraken/GOLD/1m/range", {}), ("candles/kraken/GOLD/1m/range", DAY | {"limit": 50_001}),
     ("candles/kraken/GOLD/1m/range", DAY | {"start_time": "2024-03-04T00:00:00"}),
     ("candles/kraken/GOLD/1m/range", DAY | {"end_time": "2020-01-01T00:00:00Z"}),
     ("timeseries/kraken/GOLD/ohlcv", DAY | {"end_time": "2024-03-05"}), ("timeseries/kraken/GOLD/ohlcv", DAY | {"limit": 10_001}),
     ("trades/kraken/GOLD", {"limit": 5001}), ("trades/kraken/GOLD/range", DAY | {"limit": 10_001}),
     ("trades/kraken/GOLD/range", DAY | {"end_time": "2020-01-01T00:00:00Z"}),
     ("trades/kraken/GOLD/range", DAY | {"start_time": "yesterday"}), ("symbols/search", {}), ("symbols/search", {"q": "x", "limit": 1001})],
)  # fmt: skip
async def test_invalid_parameters_are_422(trader: RestClient, path: str, wrong: dict[str, Any]) -> None:
    assert await trader.refused(f"ohlcv/{path}", **wrong) == (422, "BAD_USER_INPUT")


async def test_range_may_end_at_the_largest_time(trader: RestClient) -> None:
    eternity = {"start_time": "0001-01-01T00:00:00Z", "end_time": "9999-12-31T23:59:59.999999Z"}
    assert (await trader.get("ohlcv/candles/kraken/GOLD/1m/range", **eternity))["candles"] == []


@pytest.mark.usefixtures("market")
async def test_discovery_lists_exchanges_and_instruments(trader: RestClient) -> None:
    exchanges = await trader.get("ohlcv/exchanges")
    assert (exchanges["exchanges"], exchanges["total_available"]) == (["bitmex", "kraken"], 2)
    assert (await trader.get("ohlcv/exchanges", limit=1, offset=1))["exchanges"] == ["kraken"]
    info = await trader.get("ohlcv/exchanges/kraken/info")
    assert (info["exchange"], info["cat_ex_id"], info["symbols"], len(info["timeframes"])) == ("kraken", 1, 2, 15)
    status = await trader.get("ohlcv/exchanges/kraken/status")
    assert status == {"exchange": "kraken", "symbols": 2, "stored": 2, "status": "active"}
    assert (await trader.get("ohlcv/exchanges/bitmex/status"))["status"] == "empty"
    assert await trader.get("ohlcv/exchanges/kraken/validate") == {"exchange": "kraken", "valid": True}
    assert await trader.get("ohlcv/exchanges/mtgox/validate") == {"exchange": "mtgox", "valid": False}
    symbols = await trader.get("ohlcv/exchanges/kraken/symbols")
    assert [symbol["symbol"] for symbol in symbols["symbols"]] == ["BTC/USD", "GOLD"]
    assert (await trader.get("ohlcv/exchanges/bitmex/symbols/BTC/USD:BTC/info"))["symbol_id"] == 2
    found = await trader.get("ohlcv/symbols/search", q="btc")
    assert [symbol["symbol_id"] for symbol in found["symbols"]] == [1, 2]
    assert (await trader.get("ohlcv/symbols/search", q="btc", exchange="bitmex"))["count"] == 1
    assert (await trader.get("ohlcv/symbols/search", q="%"))["count"] == 0


@pytest.mark.usefixtures("market")
async def test_metadata_has_the_period_of_each_source(trader: RestClient) -> None:
    assert (await trader.get("ohlcv/exchanges/kraken/symbols/BTC/USD/metadata"))["sources"] == [
        {"kind": "candles", "timeframe": "1m",
         "oldest": "2024-03-04T12:00:00+00:00", "newest": "2024-03-04T12:04:00+00:00"}
    ]  # fmt: skip
    gold = await trader.get("ohlcv/exchanges/kraken/symbols/GOLD/metadata")
    assert [(source["kind"], source["newest"]) for source in gold["sources"]] == [
        ("trades", "2024-03-04T12:00:09+00:00")
    ]
    assert (await trader.get("ohlcv/exchanges/bitmex/symbols/BTC/USD:BTC/metadata"))["sources"] == []


@pytest.mark.parametrize("path", ["info", "status", "symbols", "symbols/GOLD/info", "symbols/GOLD/metadata"])
async def test_unknown_exchange_is_not_found(trader: RestClient, path: str) -> None:
    assert await trader.refused(f"ohlcv/exchanges/mtgox/{path}") == (404, "NOT_FOUND")
