"""Caches stay within their bytes with any keys of clients."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Select

from fullon_graphql.auth.principal import ALL_SCOPES, Caller, Principal
from fullon_graphql.database import database
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import Entity, entity_of
from fullon_graphql.engine.reference import row_reads
from fullon_graphql.joined_calls import SharedRuns
from fullon_graphql.lru import PROCESS_CACHES, LRUCache, remembered
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.ohlcv import sql
from fullon_graphql.ohlcv.candles import _iso_time
from fullon_graphql.ohlcv.sources import CATALOGUE_BYTES, Catalogue, Market, Source
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.schema.orders import Order
from fullon_graphql.services.rate_limits import WINDOWS_BYTES, Windows
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.transports.requests import RequestParser
from tests.fixtures.graph import principal


@contextmanager
def at_most(bytes_: int) -> Iterator[None]:
    """The block keeps at most this much memory."""
    tracemalloc.start()
    try:
        yield
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept <= bytes_


class Issuer:
    """Accepts every API key: an attacker may have opened many sessions and keys."""

    async def identify_api_key(self, key: str) -> Principal:
        return Principal(
            int(key), f"user{key}@fullon", False, f"api_key:{key}", datetime.now(UTC), frozenset(ALL_SCOPES)
        )


def source(number: int, timeframe: Timeframe | None = None) -> Source:
    name = f'"exchange{number}"."symbol{number}_candles1m"'
    return Source(name, timeframe, True, True, False, "vol" + str(number), ('"timestamp"', f"x{number}"))


async def test_credentials_stay_within_their_bytes() -> None:
    limit = 200_000
    authenticator = Authenticator(Issuer(), Issuer(), limit)  # type: ignore[arg-type]  # only keys are looked up
    with at_most(limit + 20_000):
        for number in range(2_000):
            await authenticator.identify_request({b"x-api-key": b"%d" % number})
    assert authenticator.cache.evictions > 1_000


@pytest.mark.parametrize(
    "variables", [{}, {"list": [[]] * 300}, {"objects": [{}] * 300}, {"numbers": [1.5] * 300}, {"text": "é" * 1_000}]
)
def test_parsed_bodies_stay_within_their_bytes(variables: dict[str, Any]) -> None:
    limit = 300_000
    parser = RequestParser(limit)
    with at_most(limit + 20_000):
        for number in range(2_000):
            parser.parse(
                json.dumps({"query": f"{{ bot(botId: {number}) {{ name }} }}", "variables": variables}).encode()
            )
    assert parser.cache.evictions > 100


def test_windows_of_rate_limits_stay_within_their_bytes() -> None:
    windows = Windows(None, 10, 60, Metrics())  # type: ignore[arg-type]  # nothing is synchronized
    with at_most(WINDOWS_BYTES + 100_000):
        for number in range(30_000):
            windows.take(f"address:2001:db8:{number:x}::", 1)
            windows._changed.clear()
    assert windows.windows.size <= WINDOWS_BYTES


async def test_sources_of_symbols_stay_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue(None)  # type: ignore[arg-type]  # the look-up is replaced

    async def discover(symbols: dict[Any, str]) -> dict[Any, tuple[Source, ...]]:
        return {key: tuple(source(int(key[0][1:]) + part) for part in range(3)) for key in symbols}

    monkeypatch.setattr(catalogue, "_discover", discover)
    with at_most(CATALOGUE_BYTES + 200_000):
        for number in range(4_000):
            await catalogue.find([Market(f"x{number}", "BTC/USD")])
    assert catalogue.known.evictions > 1_000


def _statement(number: int) -> str:
    layers = tuple((source(number * 100 + part, Timeframe.M1),) for part in range(100))
    return sql.bars_of_symbols(layers, Timeframe.M1, (False, True))


def _gaps(number: int) -> str:
    sources = tuple(source(number * 20 + part, Timeframe.M1) for part in range(20))
    return sql.bars_in_gaps(sources, Timeframe.M1, True)


@pytest.mark.parametrize(
    ("name", "call", "count"),
    [
        ("candle_statements", _statement, 60),
        ("candle_gap_statements", _gaps, 300),
        ("numbered_statements", lambda number: database._numbered(f"SELECT :x{number}, '{'y' * 4_000}'"), 600),
    ],
)
def test_statements_stay_within_their_bytes(name: str, call: Callable[[int], object], count: int) -> None:
    cache = PROCESS_CACHES[name]
    cache.clear()
    call(-1)
    with at_most(cache._limit + 400_000):
        for number in range(count):
            call(number)
    assert cache.evictions > 0
    assert 0 < cache.size <= cache._limit


async def test_statements_of_the_reference_stay_within_their_bytes() -> None:
    caller = principal(1)
    entity = entity_of(Order)
    row_reads._statements.clear()
    await row_reads._prepared(SharedRuns(), caller, "first", entity.rows)
    with at_most(row_reads._statements._limit + 400_000):
        for number in range(30):
            ids = [f"{number}-{place}" for place in range(1_000)]
            page = Page.read(entity, filter_={"exOrderId": {"in": ids}})
            build = partial(_page_of, entity, page)
            await row_reads._prepared(SharedRuns(), caller, ("page", entity, page), build)
    assert row_reads._statements.evictions > 0


def _page_of(entity: Entity, page: Page, caller: Caller) -> Select[Any]:
    return page.cut(entity.rows(caller), entity)


def test_times_of_bars_stay_within_their_number() -> None:
    _iso_time.cache_clear()
    with at_most(5_000_000):
        for minute in range(30_000):
            _iso_time(minute * 60_000.0)


def test_result_too_large_for_a_cache_leaves_the_others_in_it() -> None:
    calls = []

    @remembered("test", 10_000, len)
    def text(length: int) -> str:
        calls.append(length)
        return "x" * length

    try:
        assert [len(text(length)) for length in (10, 5_000, 10, 5_000)] == [10, 5_000, 10, 5_000]
        assert calls == [10, 5_000, 5_000]
    finally:
        del PROCESS_CACHES["test"]


def test_every_process_cache_is_in_the_metrics() -> None:
    text = Metrics().text().decode()
    for name in PROCESS_CACHES:
        assert f'fullon_graphql_cache_bytes{{cache="{name}"}}' in text


def test_cleared_cache_is_empty() -> None:
    cache: LRUCache[int, int] = LRUCache(10)
    cache.put(1, 1, 5)
    cache.clear()
    assert (cache.get(1), cache.size, cache.entries) == (None, 0, 0)
