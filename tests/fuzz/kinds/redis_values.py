"""Bytes that other programs write to the platform's keys and channels."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from hypothesis import strategies as st

from fullon_graphql.cache import keys
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import BYTES, mutated_bytes, texts, values
from tests.fuzz.listening import listening
from tests.fuzz.reading import reading_complaints, rest_paths
from tests.fuzz.world import World, write_live_state

SAMPLES: Final = (
    '{"price": 50000.0, "time": 1795991963.0, "volume": "1", "bid": 1, "symbol": "BTC/USD", "exchange": "kraken"}',
    '{"USD": {"total": 1, "free": 1, "used": 0}, "date": "2026-11-30T05:00:00"}',
    '{"BTC/USD": {"cost": 1, "volume": -1, "fee": 0, "count": 1, "price": 2, "timestamp": 1795991963.1}, "timestamp": 1}',
    '{"symbol": "BTC/USD", "side": "buy", "volume": 1, "price": "2", "status": "open", "ex_id": 20, "timestamp": 1}',
    '{"0": {"status": "running", "symbol": "BTC/USD", "performance": 1.5, "timestamp": "2026-11-30 05:00:00"}}',
    '{"process_id": "bot:x:1", "process_type": "bot", "component": "x", "status": "running", "params": {"pid": 1}}',
    "[1795991963000, 1, 2, 0.5, 1.5, 10]",
    "1:2026-11-30T05:00:00",
    "20:BTC/USD",
    "bot:x:1795991963.5",
    "1795991963000",
)
"""Values as the platform writes them, which are damaged."""

HASHES: Final = (
    keys.tickers("kraken"), keys.ACCOUNTS, keys.POSITIONS, keys.order_status("kraken"), keys.order_status(20),
    keys.BLOCKED_EXCHANGES, keys.OPENING_POSITIONS, keys.BOT_STATUS, keys.PROCESS_COMPONENTS,
    *(keys.process_active(name) for name in ("tick", "ohlcv", "bot", "account", "order", "user", "nonsense")),
)  # fmt: skip
LISTS: Final = (
    keys.new_orders("1"), keys.new_orders("\udcff"), keys.trades("kraken", "BTC/USD"), keys.ohlcv("BTC/USD", "1m"),
)  # fmt: skip
STRINGS: Final = (
    keys.ticker_time("kraken", "BTC/USD"), keys.trades_status("kraken"), keys.process_data("bot:x:1795991963.5"),
    keys.process_data("bot:x:1"),
)  # fmt: skip
CHANNELS: Final = (
    keys.ticker_updates("kraken", "BTC/USD"), keys.ticker_updates("kraken", "GOLD"),
    keys.ticker_updates("kraken", "\udcff"), keys.candle_writes("kraken", "BTC/USD"), keys.credentials(2),
    *(keys.service_changes(name) for name in ("ticker", "ohlcv", "account")),
    *(keys.changes(key) for key in (*HASHES[1:], *LISTS, keys.ORDER_STATUS, keys.TRADES, "process")),
)  # fmt: skip
FIELDS: Final = ("BTC/USD", "GOLD", "20", "1", "2", "20:BTC/USD", "bot:x:1", "bot:x:1795991963.5", "O1", "x")

ROOTS: Final = ("exchanges", "catExchanges", "symbols", "bots", "orders", "tickers", "processes", "systemHealth", "portfolioStats",
                "userSummary", "botDashboard", "tradingOverview", "ticker", "services", "candles")  # fmt: skip

Case = tuple[str, str, bytes, bytes, list[str], list[str]]
"""Command, key, field, value, and the reads that follow: root fields and paths."""


def cases(world: World) -> st.SearchStrategy[Case]:
    value = st.one_of(
        mutated_bytes(st.sampled_from(SAMPLES)), mutated_bytes(st.sampled_from(SAMPLES)),
        values.map(lambda value: json.dumps(value).encode()), st.sampled_from(BYTES), st.binary(max_size=20),
        st.tuples(st.sampled_from(SAMPLES), st.sampled_from(("NaN", "-Infinity", "1e999", "1795991963000", '"x"', "null", "-1", "9" * 400)))
        .map(lambda pair: _with_number(*pair).encode()),
    )  # fmt: skip
    field = st.sampled_from(FIELDS).map(str.encode) | texts.map(str.encode) | st.binary(max_size=6)
    known = st.one_of(
        st.tuples(st.just("HSET"), st.sampled_from(HASHES)), st.tuples(st.just("HSET"), st.sampled_from(HASHES)),
        st.tuples(st.just("RPUSH"), st.sampled_from(LISTS)), st.tuples(st.just("SET"), st.sampled_from(STRINGS)),
        st.tuples(st.just("PUBLISH"), st.sampled_from(CHANNELS)), st.tuples(st.just("PUBLISH"), st.sampled_from(CHANNELS)),
        st.tuples(st.sampled_from(("SET", "RPUSH", "SADD", "HSET")), st.sampled_from((*HASHES, *LISTS, *STRINGS))),
    )  # fmt: skip
    roots = st.lists(st.sampled_from(ROOTS), min_size=1, max_size=4)
    live = [path for path in rest_paths(world) if "/cache/" in path or "health" in path]
    paths = st.lists(st.sampled_from(live), min_size=1, max_size=4)
    return st.builds(lambda place, *rest: (*place, *rest), known, field, value, roots, paths)


async def play(world: World, case: Case) -> list[str]:
    command, name, field, value, roots, paths = case
    key = name.encode(errors="surrogateescape")
    if command not in {"PUBLISH", "HSET"} or name not in HASHES:
        await world.redis.delete(key) if command != "PUBLISH" else None
    run: Callable[..., Awaitable[object]] = world.redis.execute_command
    await run(command, key, *([field, value] if command == "HSET" else [value]))
    if command != "PUBLISH":
        for channel in (name, name.partition(":")[0]):
            await world.redis.publish(keys.changes(channel).encode(errors="surrogateescape"), "")
    try:
        return await reading_complaints(world, roots, paths)
    finally:
        if command != "PUBLISH":
            await world.redis.delete(key)
            await write_live_state(world)


def _with_number(sample: str, number: str) -> str:
    """The sample with another first number."""
    decoder = json.JSONDecoder()
    for at, character in enumerate(sample):
        if character.isdigit():
            _, end = decoder.raw_decode(sample, at)
            return sample[:at] + number + sample[end:]
    return sample


KIND: Final = Kind("redis values", cases, play, listening)
