"""Equity curves: results, value of open positions, drawdown and benchmark at the end of each bar."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import FromClause, Row, Select, false, select, true

from fullon_graphql.errors import BadUserInput, FullonError, NotFound
from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.combining import Buckets
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.window import Window
from fullon_graphql.services import candles
from fullon_graphql.services.analytics import positions, prices, results
from fullon_graphql.services.analytics.columns import doubles, integers, texts
from fullon_graphql.services.analytics.ledger import Period, Scope, TradeKind, ledger_entries
from fullon_graphql.services.analytics.performance import require_capital
from fullon_graphql.services.analytics.positions import DIGITS, Position
from fullon_graphql.services.analytics.prices import Rates
from fullon_graphql.services.sources import Sources

MAX_POINTS: Final = 5_000
"""Maximum number of points of a curve."""
MAX_PRICES: Final = 100_000
"""Maximum number of points times instruments with an open position: the prices that are read."""

Column = list[float | None]


@dataclass(slots=True)
class EquityCurve:
    """Columns of equal length: one value for each bar of `resolution`, as of the bar's end.

    The bars are those from the start of the period (or the first trade) to its end (or now), without gaps. Money is in
    `currency`. Sums are exact decimals, rounded once. `realized_profit` and `fees` are None throughout if one of their
    amounts is in a currency without a price, see `unpriced`.

    - `time`: the start of each bar, in Unix milliseconds.
    - `closed_trades`: number of closing trades since the start of the period.
    - `realized_profit`: sum of their `roi`. Its last value is the net profit of the performance of the same trades.
    - `fees`: sum of `fee` of all trades since the start of the period. `roi` is after the fees that the platform has
      subtracted, so these are not subtracted again.
    - `unrealized_profit`: sum of `volume * (close - entry price)` over the open positions, also those opened before
      the start of the period. `close` is that of the bar; None if an open position has no stored bar of that time, or
      if its volume or entry price is unknown (see `positions.Position`). 0 without open positions.
    - `equity`: `realized_profit + unrealized_profit`.
    - `drawdown`: fall of `realized_profit` below its highest value so far, at least 0, as a positive number;
      `drawdown_fraction`: the same as a fraction of the capital plus that highest value, None without the capital.
    - `equity_drawdown`: fall of `equity` below its highest known value so far, at least 0; None if `equity` is.
    - `benchmark_return`: `close / P - 1`, the return of the coin bought at P, the open price of the first stored bar
      of the curve, and held. `benchmark_profit`: the same times the capital, None without it. Both are None if the
      trades are of several instruments, or if no bar is stored at that time.
    """

    kind: TradeKind
    currency: str
    resolution: Timeframe
    capital: float | None
    unpriced: Sequence[str] = ()
    left_out: int = 0
    time: list[float] = field(default_factory=list)
    closed_trades: list[int] = field(default_factory=list)
    realized_profit: Column = field(default_factory=list)
    unrealized_profit: Column = field(default_factory=list)
    equity: Column = field(default_factory=list)
    fees: Column = field(default_factory=list)
    drawdown: Column = field(default_factory=list)
    drawdown_fraction: Column = field(default_factory=list)
    equity_drawdown: Column = field(default_factory=list)
    benchmark_return: Column = field(default_factory=list)
    benchmark_profit: Column = field(default_factory=list)

    @property
    def length(self) -> int:
        """Number of bars."""
        return len(self.time)


class _ExactRates:
    """The rates of currencies as decimals, and the currencies that were asked for in vain."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._known: dict[tuple[str | None, str], Decimal | None] = {}
        self.unpriced: set[str] = set()

    def of(self, exchange: str | None, currency: str) -> Decimal | None:
        """The rate for an account on `exchange`; None without a price."""
        key = (exchange, currency)
        if key not in self._known:
            own = None if exchange is None else self._rates.by_exchange.get((exchange, currency))
            rate = own or self._rates.by_currency.get(currency)
            self._known[key] = None if rate is None else Decimal(repr(rate.value))
            if rate is None:
                self.unpriced.add(currency)
        return self._known[key]


@dataclass(slots=True)
class _Part:
    """The sums of one bar, in the requested currency; None if an amount has no price."""

    closed: int = 0
    profit: Decimal | None = Decimal(0)
    fees: Decimal | None = Decimal(0)


@dataclass(slots=True)
class _Book:
    """The figures of the trades."""

    rates: _ExactRates
    left_out: int = 0
    parts: Mapping[float, _Part] = field(default_factory=dict)
    """By the start of the bar in milliseconds."""
    positions: Sequence[Position] = ()

    @property
    def coin(self) -> Market | None:
        """The only instrument of the trades; None if there are several, or if its exchange is not known."""
        traded = {(each.exchange, each.symbol) for each in self.positions}
        [(exchange, symbol)] = traded if len(traded) == 1 else [(None, "")]
        return None if exchange is None else Market(exchange, symbol)

    @property
    def markets(self) -> set[Market]:
        """The instruments whose prices are needed."""
        held = {
            Market(position.exchange, position.symbol)
            for position in self.positions
            if position.exchange is not None and position.was_known
        }
        return held | {self.coin} if self.coin else held


async def curve(
    sources: Sources,
    scope: Scope,
    currency: str,
    resolution: Timeframe,
    capital: float | None = None,
    as_of: datetime | None = None,
) -> EquityCurve:
    """The curve of the trades of `scope` that the caller may see, made before `as_of`.

    One statement reads the trades. The prices of candles are in another database, which takes a read of its own.
    Threads compute the columns, so that the event loop serves others meanwhile.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read the trades, or the candles that the curve needs.
        BadUserInput: the scope or the capital is invalid, or the curve would have too many points.
    """
    require_capital(capital)
    start, end = scope.period.until(as_of).bounds()
    live_prices = await prices.read(sources.database, sources.redis, sources.caller)
    rates = await live_prices.rates_of_accounts(currency)
    is_recorded = scope.kind is TradeKind.LIVE and scope.bot_ids is None
    rows = await sources.database.rows(_statement(sources, scope, rates, resolution, start, end, is_recorded))
    book = await asyncio.to_thread(_read_sums, rows, rates)
    now, buckets = datetime.now(UTC), Buckets(resolution)
    grid = _grid(buckets, book, start, min(end or now, now))
    book.positions = await asyncio.to_thread(_read_positions, rows, is_recorded)
    bars = await _bars(sources, sorted(book.markets), resolution, grid, as_of)
    found = EquityCurve(scope.kind, currency, resolution, capital, left_out=book.left_out, time=grid)
    are_known = end is None or end >= now or end == as_of
    known_until = math.inf if end is None or are_known else end.timestamp() * 1000
    await asyncio.to_thread(_fill, found, book, _Prices(buckets, bars, known_until))
    return found


def _statement(
    sources: Sources,
    scope: Scope,
    rates: Rates,
    resolution: Timeframe,
    start: datetime | None,
    end: datetime | None,
    is_recorded: bool,
) -> Select[Any]:
    """The sums of the period as one row, and each position since its first trade as another one."""
    caller = sources.caller
    entries: FromClause = ledger_entries(caller, replace(scope, period=Period(None, end)))
    if scope.bot_ids is not None:  # few trades of many: read once
        entries = select(*(entries.c[name] for name in positions.READ)).cte("trades_of_bots")
    held = (positions.recorded if is_recorded else positions.computed)(entries, resolution, start)
    inside = select(entries).where(true() if start is None else entries.c.time >= start).subquery("inside")
    sums = results.statement(inside, caller, scope, rates, resolution).subquery("sums_of_bars")
    places = held.subquery("positions")
    return select(*sums.c, *places.c).select_from(sums.join(places, false(), full=True))


def _read_sums(rows: Sequence[Row[Any]], rates: Rates) -> _Book:
    book = _Book(_ExactRates(rates))
    for row in rows:
        if row.bars is None:
            book.left_out = int(row.left_out)
            book.rates.unpriced.update(row.unpriced or ())
            book.parts = _parts(row)
    return book


def _read_positions(rows: Sequence[Row[Any]], is_recorded: bool) -> list[Position]:
    """The positions: read once the curve has not too many points, which bounds their columns."""
    parse = positions.parse_recorded if is_recorded else positions.parse_computed
    with localcontext(DIGITS):
        return [parse(row) for row in rows if row.bars is not None]


def _parts(row: Row[Any]) -> dict[float, _Part]:
    time = doubles(row.time)
    profit, fees = (
        [None] * len(time) if lacking else list(map(Decimal, texts(column)))
        for lacking, column in ((row.no_profit, row.profit), (row.no_fees, row.fees))
    )
    return dict(zip(time, map(_Part, integers(row.closed), profit, fees), strict=True))


def _grid(buckets: Buckets, book: _Book, start: datetime | None, until: datetime) -> list[float]:
    """The starts of the bars of the curve.

    Raises:
        BadUserInput: they would be too many.
    """
    if start is None and not book.parts:
        return []
    bar = min(book.parts) if start is None else buckets.start(start.timestamp() * 1000)
    last = max([buckets.start(until.timestamp() * 1000 - 0.001), *book.parts])
    width = (buckets.timeframe.width or timedelta(days=28)).total_seconds() * 1000
    if (last - bar) / width >= MAX_POINTS:
        raise BadUserInput(
            f"The curve would have more than {MAX_POINTS} points. Request a shorter range or a longer resolution.",
            field="resolution",
        )
    grid = []
    while bar <= last:
        grid.append(bar)
        bar = buckets.following(bar)
    return grid


class _Prices:
    """The stored bars of the curve; those that end after `known_until` have a close of after the period."""

    def __init__(self, buckets: Buckets, bars: Mapping[Market, CandleColumns], known_until: float) -> None:
        self._buckets = buckets
        self._bars = bars
        self._known_until = known_until

    def closes(self, market: Market) -> dict[float, float]:
        """The known close prices, by the start of the bar."""
        bars = self._bars.get(market) or CandleColumns.empty()
        return {
            time: close
            for time, close in zip(bars.time, bars.close, strict=True)
            if self._buckets.following(time) <= self._known_until
        }

    def first(self, market: Market) -> float | None:
        """The open price of the first bar; None without bars."""
        bars = self._bars.get(market)
        return bars.open[0] if bars and bars.length else None


async def _bars(
    sources: Sources, markets: Sequence[Market], resolution: Timeframe, grid: Sequence[float], as_of: datetime | None
) -> dict[Market, CandleColumns]:
    if not grid or not markets:
        return {}
    if len(markets) * len(grid) > MAX_PRICES:
        raise BadUserInput(
            f"The curve needs prices of {len(markets)} instruments at {len(grid)} times, more than {MAX_PRICES} in all."
            " Request one instrument, a shorter range or a longer resolution.",
            field="resolution",
        )
    first, end = (
        datetime.fromtimestamp(time / 1000, UTC) for time in (grid[0], Buckets(resolution).following(grid[-1]))
    )
    found = await candles.of_markets(
        sources.candles, sources.caller, markets, resolution, Window(first, end, as_of=as_of)
    )
    return {market: _stored(bars) for market, bars in zip(markets, found, strict=True)}


def _stored(bars: CandleColumns | FullonError) -> CandleColumns:
    if isinstance(bars, NotFound):
        return CandleColumns.empty()
    if isinstance(bars, FullonError):
        raise bars
    return bars


_Amounts = Sequence[Decimal | None]
_NOTHING: Final = _Part()
_ZERO: Final = Decimal(0)


def _fill(curve: EquityCurve, book: _Book, prices: _Prices) -> None:
    """Compute the columns of a curve that has its times."""
    with localcontext(DIGITS):
        parts = [book.parts.get(bar, _NOTHING) for bar in curve.time]
        curve.closed_trades = list(accumulate(part.closed for part in parts))
        realized = _running_total([part.profit for part in parts])
        unrealized = _unrealized(curve.time, book, prices)
        equity = [
            None if one is None or other is None else one + other
            for one, other in zip(realized, unrealized, strict=True)
        ]
        tops, falls = _falls(realized)
        curve.realized_profit, curve.unrealized_profit, curve.equity = map(_doubles, (realized, unrealized, equity))
        curve.fees = _doubles(_running_total([part.fees for part in parts]))
        curve.drawdown, curve.equity_drawdown = _doubles(falls), _doubles(_falls(equity)[1])
        curve.drawdown_fraction = [
            None if curve.capital is None or fall is None else float(fall) / (curve.capital + float(top))
            for fall, top in zip(falls, tops, strict=True)
        ]
        curve.benchmark_return = _held(curve.time, book.coin, prices)
        curve.benchmark_profit = [
            None if curve.capital is None or one is None else curve.capital * one for one in curve.benchmark_return
        ]
        curve.unpriced = sorted(book.rates.unpriced)


def _running_total(amounts: _Amounts) -> _Amounts:
    """The sum so far at each place; None throughout if an amount is."""
    known = [amount for amount in amounts if amount is not None]
    return list(accumulate(known)) if len(known) == len(amounts) else [None] * len(amounts)


def _falls(amounts: _Amounts) -> tuple[list[Decimal], _Amounts]:
    """The highest known amount so far, at least 0, and the fall below it."""
    tops = list(accumulate((amount or Decimal(0) for amount in amounts), max, initial=Decimal(0)))[1:]
    return tops, [None if amount is None else top - amount for amount, top in zip(amounts, tops, strict=True)]


class _Exposure:
    """The sum of positions in one instrument, as changes at each bar of a curve."""

    def __init__(self, grid: Sequence[float]) -> None:
        self._places = {bar: place for place, bar in enumerate(grid)}
        self.volumes = [_ZERO] * len(grid)
        self.costs = [_ZERO] * len(grid)
        self.open = [0] * len(grid)
        """Changes of the number of open positions, with those of unknown volume."""
        self.unknown = [0] * len(grid)
        """Changes of the number of positions with an unknown cost."""

    def add(self, position: Position) -> None:
        """Add the changes of a position."""
        before, before_cost, was_open, was_unknown = _ZERO, _ZERO, False, False
        for bar, volume, cost in zip(position.bars, position.volumes, position.costs, strict=True):
            place = self._places.get(bar, 0)  # trades before the period count at its start
            is_open, is_unknown = volume != 0, cost is None
            after, after_cost = (_ZERO, _ZERO) if volume is None or cost is None else (volume, cost)
            self.volumes[place] += after - before
            self.costs[place] += after_cost - before_cost
            self.open[place] += is_open - was_open
            self.unknown[place] += is_unknown - was_unknown
            before, before_cost, was_open, was_unknown = after, after_cost, is_open, is_unknown


def _unrealized(grid: Sequence[float], book: _Book, prices: _Prices) -> _Amounts:
    """The value of all open positions without their cost, at the end of each bar."""
    totals: list[Decimal | None] = [_ZERO] * len(grid)
    instruments: dict[tuple[str | None, str, str], _Exposure] = defaultdict(lambda: _Exposure(grid))
    for position in book.positions if grid else ():
        if position.was_open:
            instruments[position.exchange, position.symbol, position.currency].add(position)
    for (exchange, symbol, currency), exposure in instruments.items():
        closes = prices.closes(Market(exchange, symbol)) if exchange else {}
        amounts = accumulate(exposure.volumes), accumulate(exposure.costs)
        numbers = accumulate(exposure.open), accumulate(exposure.unknown)
        for place, (volume, cost, are_open, are_unknown) in enumerate(zip(*amounts, *numbers, strict=True)):
            total = totals[place]
            if total is None or not are_open:
                continue
            close = None if are_unknown else closes.get(grid[place])
            rate = None if close is None else book.rates.of(exchange, currency)
            if rate is None:
                totals[place] = None
            else:
                totals[place] = total + (volume * Decimal(repr(close)) - cost) * rate
    return totals


def _held(grid: Sequence[float], coin: Market | None, prices: _Prices) -> Column:
    """The return of the coin since the first bar, at the end of each bar."""
    bought = prices.first(coin) if coin else None
    if coin is None or not bought:
        return [None] * len(grid)
    closes = prices.closes(coin)
    return [closes[bar] / bought - 1 if bar in closes else None for bar in grid]


def _doubles(amounts: _Amounts) -> Column:
    return [None if amount is None else float(amount) for amount in amounts]
