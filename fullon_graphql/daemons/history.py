"""Stores the past of symbols as the exchange reports it: its own candles, and trades for symbols that store them.

The period of a page is stored and recorded as complete in one transaction, so an interrupted fill resumes
where it ended.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.daemons.feeds.market_feed import CandlePage, MarketFeed, MarketTrade, TradePage
from fullon_graphql.daemons.minute_bars import MINUTE, unusable
from fullon_graphql.database import Database
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.coverage import MissingPeriod, create_coverage, incomplete, mark_complete
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.writer import (
    Form,
    StoredTrade,
    create_candles,
    create_trades,
    insert_trades,
    require_form,
    require_own_tables,
    upsert_candles,
)

T = TypeVar("T")

PAGE_TIMEOUT: Final = 600.0
"""Seconds that the feed may take for one page. It may search long for the first one that is not empty."""

LEAD: Final = 600.0
"""Seconds before a period of candles that are requested too: the exchange's first candle shows only that it has candles
from then on. They are compared again as well, for late corrections."""


class HistoryError(Exception):
    """The feed failed to deliver a page. Stored pages are kept."""


def nothing() -> None:
    """Does nothing."""


def ignore(_since: float, _until: float) -> None:
    """Does nothing."""


async def prepare_tables(database: Database, market: Market, *, trades: bool = False) -> Form:
    """Create missing tables of a symbol, with `trades` also that of its trades; returns the form of its tables.

    Raises:
        FullonError: the tables cannot be written, or belong to another symbol.
    """
    async with database.transaction() as connection:
        await create_coverage(connection)
        await require_own_tables(connection, market.exchange, market.symbol)
        await create_candles(connection, market.exchange, market.symbol)
        if trades:
            await create_trades(connection, market.exchange, market.symbol)
        return await require_form(connection, market.exchange, market.symbol)


class History:
    """Stores the past that a feed knows. `require_lease` is called before every write. Times are unix seconds.

    `writing` is held during each write of candles.
    """

    def __init__(self, feed: MarketFeed, database: Database, require_lease: Callable[[], None] = nothing) -> None:
        self.writing = asyncio.Lock()
        self._feed = feed
        self._database = database
        self._require_lease = require_lease

    async def missing(self, market: Market, form: Form, since: float, until: float) -> list[MissingPeriod]:
        """The periods between the two times that were never stored completely, in order of time."""
        async with self._database.connection() as connection:
            found = await incomplete(connection, market, _time(since), _time(until))
            if form.trades:
                found += await incomplete(connection, market, _time(since), _time(until), trades=True)
        return _joined(found)

    async def fill(
        self,
        market: Market,
        form: Form,
        since: float,
        until: float,
        on_page: Callable[[float, float], None] = ignore,
    ) -> int:
        """Store the past from `since` until before `until`; returns the number of candles that were new or corrected.

        `on_page` is called with the period of each page of candles when it is stored, before `writing` is released.

        Raises:
            HistoryError: the feed failed.
            LeaseLostError: by `require_lease`.
        """
        written = 0
        exchange, symbol = market.exchange, market.symbol
        async with aclosing(_pages(self._feed.candles(exchange, symbol, since - LEAD, until))) as pages:
            async for page in pages:
                async with self.writing:
                    written += await self._store_candles(market, form, page)
                    on_page(page.since, page.until)
        if form.trades:
            async with aclosing(_pages(self._feed.past_trades(exchange, symbol, since, until))) as past:
                async for trades in past:
                    await self._store_trades(market, form, trades)
        return written

    async def _store_candles(self, market: Market, form: Form, page: CandlePage) -> int:
        start, end = math.ceil(page.since / MINUTE) * MINUTE, math.floor(page.until / MINUTE) * MINUTE
        candles = [candle for candle in page.candles if _is_usable(candle, start, end)]

        async def write(connection: AsyncConnection) -> int:
            self._require_lease()
            written = await upsert_candles(connection, market.exchange, market.symbol, candles, volume=form.volume)
            await mark_complete(connection, market, _time(start), _time(end))
            return written

        return await self._database.in_transaction(write)

    async def _store_trades(self, market: Market, form: Form, page: TradePage) -> None:
        trades = [stored_trade(trade) for trade in page.trades if not unusable(trade, page.until)]

        async def write(connection: AsyncConnection) -> None:
            self._require_lease()
            with_ids = bool(form.trades and form.trades.with_ids)
            await insert_trades(connection, market.exchange, market.symbol, trades, with_ids=with_ids)
            await mark_complete(connection, market, _time(page.since), _time(page.until), trades=True)

        await self._database.in_transaction(write)


def stored_trade(trade: MarketTrade) -> StoredTrade:
    """A trade of the feed to store. Without an id of the exchange, its values identify it."""
    id_ = trade.id or f"{trade.side}:{trade.price!r}:{trade.volume!r}"
    return StoredTrade(_time(trade.time), trade.price, trade.volume, trade.side, id_)


async def _pages(stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The pages of a feed; any failure of the feed is a `HistoryError`."""
    async with aclosing(stream):
        while True:
            try:
                async with asyncio.timeout(PAGE_TIMEOUT):
                    page = await anext(stream)
            except StopAsyncIteration:
                return
            except Exception as error:
                raise HistoryError(f"{type(error).__name__}: {error}") from error
            yield page


def _is_usable(candle: Candle, start: float, end: float) -> bool:
    return start <= candle.time.timestamp() < end and math.isfinite(sum(candle[1:]))


def _joined(periods: list[MissingPeriod]) -> list[MissingPeriod]:
    """The union of periods, in order of time."""
    found: list[MissingPeriod] = []
    for period in sorted(periods):
        if found and period.from_ <= found[-1].to:
            found[-1] = MissingPeriod(found[-1].from_, max(found[-1].to, period.to))
        else:
            found.append(period)
    return found


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
