"""Projections: objects written as JSON values, and values that fall back to the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache.accounts import Position
from fullon_graphql.cache.tickers import Ticker as Cached
from fullon_graphql.context import Context
from fullon_graphql.engine.errors import body
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.row_trees import Columnar, Run, projection
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import Graph
from fullon_graphql.ohlcv.candles import CandleColumns, Series
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.candles import Candle, CandleUpdate
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import Ticker
from tests.conftest import Count
from tests.engine.planning import facts, run, selected
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import TRADER

TICKER = Ticker(
    exchange="kraken", symbol="GOLD", price=7, bid=None, ask=8.5, last=None, volume=None, change=None,
    percentage=None, spread=None, time=DateTime(datetime(2026, 1, 1, tzinfo=UTC)), age_ms=0.0,
)  # fmt: skip
TICKERS = '{{ tickers(exchange: "x") {{ {} }} }}'
UPDATES = 'subscription { candles(exchange: "x", symbol: "y", timeframe: M1)'
CANDLES = '{{ candles(exchange: "x", symbol: "y", timeframe: M1) {{ {} }} }}'


async def write(graph: GraphClient, text: str, value: Any) -> Any:
    """The JSON value that is written for the operation's only root field."""
    [selection] = selected(graph.graph, text)
    project = projection(selection.type, selection.children)
    caller = principal(TRADER)
    [written] = await project(Run(Context(graph.worker, caller=caller), caller, {}, Trace()), [value])
    return orjson.loads(orjson.dumps(written)) if isinstance(written, orjson.Fragment) else written


async def test_keys_are_response_keys_in_document_order(graph: GraphClient) -> None:
    written = await write(graph, TICKERS.format("z: price __typename symbol bid time a: price"), [TICKER])
    assert list(written[0].items()) == [
        ("z", 7.0), ("__typename", "Ticker"), ("symbol", "GOLD"), ("bid", None), ("time", "2026-01-01T00:00:00+00:00"),
        ("a", 7.0),
    ]  # fmt: skip


async def test_empty_list_is_written(graph: GraphClient) -> None:
    assert await write(graph, TICKERS.format("price instrument { base }"), []) == []


async def test_null_of_a_nullable_field_is_written(graph: GraphClient) -> None:
    assert await write(graph, '{ ticker(exchange: "x", symbol: "y") { price instrument { base } } }', None) is None


@pytest.mark.parametrize("price", [None, float("nan"), float("inf"), -float("inf")])
async def test_invalid_value_of_a_leaf_falls_back(graph: GraphClient, price: Any) -> None:
    with pytest.raises(Fallback) as refused:
        await write(graph, TICKERS.format("price"), [TICKER, replace(TICKER, price=price)])
    assert refused.value.kind == "value"


@pytest.mark.parametrize("value", [None, [TICKER, None]])
async def test_null_of_a_non_null_field_falls_back(graph: GraphClient, value: Any) -> None:
    with pytest.raises(Fallback, match="null"):
        await write(graph, TICKERS.format("price"), value)


COLUMNS = CandleColumns([0.0, 60_000.0], [1.0, 2.0], [3.0, 4.0], [0.5, 0.25], [2.0, 3.0], [10.0, 0.0])
SERIES = Series(Market("kraken", "BTC/USD"), Timeframe.M1, COLUMNS)


class Counted:
    """Columns that count how often an object was built from them."""

    def __init__(self) -> None:
        self.made = 0
        self.encodings: dict[Any, Any] = {}
        self._bars = SERIES

    def json_column(self, name: str) -> Sequence[Any]:
        return self._bars.json_column(name)

    def __iter__(self) -> Any:
        self.made += 1
        return iter(self._bars)


async def test_columns_are_written_without_building_objects(graph: GraphClient) -> None:
    bars = Counted()
    assert isinstance(bars, Columnar)
    assert isinstance(SERIES, Columnar)
    written = await write(graph, CANDLES.format("close t: time again: close"), bars)
    assert [list(row.items()) for row in written] == [
        [("close", 2.0), ("t", "1970-01-01T00:00:00+00:00"), ("again", 2.0)],
        [("close", 3.0), ("t", "1970-01-01T00:01:00+00:00"), ("again", 3.0)],
    ]
    assert bars.made == 0


async def test_answers_that_share_columns_share_their_json(graph: GraphClient) -> None:
    [selection] = selected(graph.graph, CANDLES.format("close time"))
    [other] = selected(graph.graph, CANDLES.format("c: close"))
    caller, bars = principal(TRADER), Counted()
    executed = Run(Context(graph.worker, caller=caller), caller, {}, Trace())
    both = projection(selection.type, selection.children)
    first, second = [(await both(executed, [bars]))[0] for _ in range(2)]
    assert first is second
    [third] = await projection(other.type, other.children)(executed, [bars])
    assert orjson.loads(orjson.dumps(third)) == [{"c": 2.0}, {"c": 3.0}]


async def test_columns_are_built_if_nested_fields_are_selected(graph: GraphClient) -> None:
    bars = Counted()
    written = await write(graph, CANDLES.format("__typename close"), bars)
    assert written == [{"__typename": "Candle", "close": 2.0}, {"__typename": "Candle", "close": 3.0}]
    assert bars.made > 0


async def test_columns_without_selected_fields_are_empty_objects(graph: GraphClient) -> None:
    assert await write(graph, CANDLES.format("close @skip(if: true)"), Counted()) == [{}, {}]


async def test_columns_with_nan_or_infinity_fall_back(graph: GraphClient) -> None:
    broken = replace(COLUMNS, close=[1.0, float("nan")])
    query = '{ candleColumns(exchange: "x", symbol: "y", timeframe: M1) { time close } }'
    assert await write(graph, query, COLUMNS) == {"time": [0.0, 60_000.0], "close": [2.0, 3.0]}
    with pytest.raises(Fallback, match="JSON"):
        await write(graph, query, broken)


UPDATE = CandleUpdate(candle=cast("Candle", SERIES[1]), closed=False)


@pytest.mark.parametrize("candle", ["close t: time", "__typename close", "close @skip(if: true)"])
async def test_nested_object_is_written_with_its_parent(graph: GraphClient, candle: str) -> None:
    query = f"{UPDATES} {{ closed candle {{ {candle} }} }} }}"
    subscription = await OperationExecutor(graph.graph.core).subscription(
        Request(query), Context(graph.worker, caller=principal(TRADER))
    )
    context = Context(graph.worker, caller=principal(TRADER))
    planned = await subscription._planned(context, [UPDATE])
    assert planned is not None
    assert planned[0] == body(await subscription._reference(context, UPDATE), "")


async def test_null_of_a_non_null_nested_object_falls_back(graph: GraphClient) -> None:
    query = f"{UPDATES} {{ candle {{ close }} }} }}"
    with pytest.raises(Fallback, match="null"):
        await write(graph, query, replace(UPDATE, candle=None))  # type: ignore[arg-type]  # an invalid value


def test_field_with_its_own_resolver_falls_back(schema: Graph) -> None:
    [selection] = selected(schema, "{ bots { totalCount } }")
    with pytest.raises(Fallback, match=r"BotConnection\.totalCount"):
        projection(selection.type, selection.children)


@pytest.mark.usefixtures("platform")
async def test_nested_batch_loads_all_its_keys_at_once(graph: GraphClient, redis: Redis, redis_calls: Count) -> None:
    await tickers.write(redis, [Cached("kraken", "BTC/USD", 101, 1)])
    await accounts.write(
        redis, {}, {20: [Position(20, "BTC/USD", -2, 200, 100), Position(20, "GOLD", 1, 100, 100)],
                    30: [Position(30, "BTC/USD", 3, 300, 100)]},
    )  # fmt: skip
    query = "{ users { nodes { exchanges { positions { marketPrice unrealizedPnl } } } } }"
    with redis_calls() as calls:
        trace, answer = await run(graph.as_(principal(1, admin=True)), query)
    assert trace.reason is None
    found = [p for u in answer["data"]["users"]["nodes"] for e in u["exchanges"] for p in e["positions"]]
    assert found == [
        {"marketPrice": 101.0, "unrealizedPnl": -2.0},
        {"marketPrice": None, "unrealizedPnl": None},
        {"marketPrice": 101.0, "unrealizedPnl": 3.0},
    ]
    assert facts(trace, "batch", "keys") == [3, 2, 3]  # accounts, instruments, and positions
    assert [call for call in calls if "HMGET" in call] == ["HMGET"] * 3  # other commands belong to start-up
