"""Equity curves: results, value of open positions, drawdown and benchmark at the end of each bar."""

from __future__ import annotations

import asyncio
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from itertools import accumulate
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    collate,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array

from fullon_graphql.errors import BadUserInput, FullonError, NotFound
from fullon_graphql.ohlcv.candles import CandleColumns
from fullon_graphql.ohlcv.combining import Buckets
from fullon_graphql.ohlcv.sources import Market
from fullon_graphql.ohlcv.store import Window
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services import candles
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.columns import bucket_of
from fullon_graphql.services.analytics.ledger import (
    Period,
    Scope,
    TradeKind,
    exact_sum,
    is_dated,
    ledger_entries,
)
from fullon_graphql.services.analytics.performance import require_capital
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
      if its volume or entry price is unknown (see `Holding`). 0 without open positions.
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


DIGITS: Final = Context(prec=1000)
"""Sums of decimals with these digits are exact: figures are from 1e-324 to 1e100."""


def milliseconds(bucket: datetime) -> float:
    """The start of a bucket, as PostgreSQL has it (UTC without a zone), in Unix milliseconds."""
    return bucket.replace(tzinfo=UTC).timestamp() * 1000


class Money:
    """An exact sum of amounts in several currencies; None once an amount has no price."""

    def __init__(self) -> None:
        self.total: Decimal | None = Decimal(0)

    def add(self, amount: str, rate: Decimal | None) -> None:
        """Add an amount at the rate of its currency."""
        if self.total is not None:
            self.total = None if rate is None else self.total + Decimal(amount) * rate


class ExactRates:
    """The rates of currencies as decimals, and the currencies that were asked for in vain."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._known: dict[tuple[str | None, str], Decimal | None] = {}

    def of(self, exchange: str | None, currency: str) -> Decimal | None:
        """The rate for an account on `exchange`; None without a price."""
        key = (exchange, currency)
        if key not in self._known:
            own = None if exchange is None else self._rates.by_exchange.get((exchange, currency))
            rate = own or self._rates.by_currency.get(currency)
            self._known[key] = None if rate is None else Decimal(repr(rate.value))
        return self._known[key]

    @property
    def unpriced(self) -> list[str]:
        """The currencies without a price, in order."""
        return sorted({currency for (_, currency), rate in self._known.items() if rate is None})


class Holding(NamedTuple):
    """A position after a trade: its volume (negative for a short) and its cost, volume times average entry price.

    Of an account, it is the recorded position after the newest live trade of the instrument. The records have no
    position of a bot, so that of a bot, and any simulated one, is computed from the bot's own trades since its first
    one: the volume is the sum of theirs, the cost that of the trades that opened it. The cost is known if the position
    was opened after the last closing trade, or has only grown since. It is unknown after a partial close, until the
    position is closed: the records do not have which part was closed.
    """

    volume: Decimal
    cost: Decimal


FLAT: Final = Holding(Decimal(0), Decimal(0))
_ALWAYS: Final = -math.inf
"""The bar of trades before the period."""


class _Position(NamedTuple):
    """An instrument on an account, and of a bot if each bot has a position of its own."""

    ex_id: int
    bot_id: int
    """0 for the position of an account."""
    exchange: str | None
    symbol: str
    currency: str


@dataclass(slots=True)
class _Part:
    """The sums of one bar."""

    closed: int = 0
    profit: Money = field(default_factory=Money)
    fees: Money = field(default_factory=Money)


@dataclass(slots=True)
class _Book:
    """The figures of the trades, by the start of the bar in milliseconds."""

    rates: ExactRates
    left_out: int = 0
    parts: dict[float, _Part] = field(default_factory=lambda: defaultdict(_Part))
    holdings: dict[_Position, list[tuple[float, Holding | None]]] = field(default_factory=lambda: defaultdict(list))
    """The position after each bar with a trade of it, in order; None if it is unknown."""

    @property
    def coin(self) -> Market | None:
        """The only instrument of the trades; None if there are several, or if its exchange is not known."""
        traded = {(each.exchange, each.symbol) for each in self.holdings}
        [(exchange, symbol)] = traded if len(traded) == 1 else [(None, "")]
        return None if exchange is None else Market(exchange, symbol)

    @property
    def markets(self) -> set[Market]:
        """The instruments whose prices are needed."""
        held = {
            Market(position.exchange, position.symbol)
            for position, states in self.holdings.items()
            if position.exchange is not None and any(state and state.volume for _, state in states)
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

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read the trades, or the candles that the curve needs.
        BadUserInput: the scope or the capital is invalid, or the curve would have too many points.
    """
    require_capital(capital)
    start, end = scope.period.until(as_of).bounds()
    entries = ledger_entries(sources.caller, replace(scope, period=Period(None, end)))
    live_prices = await prices.read(sources.database, sources.redis, sources.caller)
    rates = await live_prices.rates_of_accounts(currency)
    is_recorded = scope.kind is TradeKind.LIVE and scope.bot_ids is None
    statement = (_with_recorded if is_recorded else _with_computed)(entries, resolution, start)
    rows = await sources.database.rows(statement)
    book = await asyncio.to_thread(_read, rows, rates, _recorded if is_recorded else _computed)
    now, buckets = datetime.now(UTC), Buckets(resolution)
    grid = _grid(buckets, book, start, min(end or now, now))
    found = EquityCurve(scope.kind, currency, resolution, capital, left_out=book.left_out, time=grid)
    bars = await _bars(sources, book, resolution, grid, as_of)
    are_known = end is None or end >= now or end == as_of
    known_until = math.inf if end is None or are_known else end.timestamp() * 1000
    await asyncio.to_thread(_fill, found, book, _Prices(buckets, bars, known_until))
    return found


def _key_and_figures(
    entries: Any, resolution: Timeframe, start: datetime | None
) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]]]:
    """The key of a part of the trades: bar (`-infinity` before the period) and position; and the part's figures."""
    dated = is_dated(entries)
    inside: ColumnElement[bool] = true() if start is None else entries.c.time >= start
    counted = and_(dated, inside)
    bucket = case((counted, bucket_of(entries.c.time, resolution)), else_=_BEFORE)
    bot = entries.c.bot_id if "bot_id" in entries.c else literal_column("0")
    key = [
        bucket.label("bucket"),
        entries.c.ex_id,
        bot.label("bot_id"),
        entries.c.exchange,
        entries.c.symbol,
        entries.c.currency,
    ]
    left_out = func.coalesce(func.sum(entries.c.left_out).filter(inside), 0)
    undated = func.count(entries.c.roi).filter(inside, ~dated)
    figures: list[ColumnElement[Any]] = [
        func.count(entries.c.roi).filter(counted).label("closed"),
        cast(exact_sum(entries.c.roi).filter(counted), Text).label("profit"),
        cast(exact_sum(func.nullif(entries.c.fee, 0)).filter(counted), Text).label("fees"),
        (left_out + undated).label("left_out"),
    ]
    return key, figures


_BEFORE: Final[ColumnElement[Any]] = literal_column("timestamp '-infinity'")


def _with_recorded(entries: Subquery, resolution: Timeframe, start: datetime | None) -> Select[Any]:
    """The parts with the recorded position and entry price after their newest trade: the last two of four numbers."""
    key, figures = _key_and_figures(entries, resolution, start)
    numbers = [func.date_part("epoch", entries.c.time), entries.c.trade_id, entries.c.position, entries.c.entry_price]
    newest = func.max(cast(array(numbers), ARRAY(Double))).filter(is_dated(entries))
    return select(*key, *figures, newest.label("newest")).group_by(*_places(key))


def _with_computed(entries: Subquery, resolution: Timeframe, start: datetime | None) -> Select[Any]:
    """The parts with the change of the position, and the volume and cost of the trades after their last closing one.

    `one_sided` is true if the latter only bought or only sold; null if there is none.
    """
    key, _ = _key_and_figures(entries, resolution, start)
    dated = is_dated(entries)
    place = [collate(part, "C") if part.name == "symbol" else part for part in key if part.name not in _IMPLIED]
    closing = func.max(entries.c.time).filter(entries.c.roi.is_not(None), dated).over(partition_by=place)
    trades = select(*entries.c, closing.label("closing")).subquery("trades")
    key, figures = _key_and_figures(trades, resolution, start)
    tail = or_(trades.c.closing.is_(None), trades.c.time > trades.c.closing), is_dated(trades)
    sides = (edge(trades.c.side).filter(*tail) for edge in (func.min, func.max))
    return select(
        *key,
        *figures,
        func.bool_or(trades.c.closing.is_not(None)).label("closed_any"),
        _signed_sum(trades, trades.c.volume, is_dated(trades)).label("change"),
        _signed_sum(trades, trades.c.volume, *tail).label("tail_volume"),
        _signed_sum(trades, trades.c.cost, *tail).label("tail_cost"),
        operator.eq(*sides).label("one_sided"),
    ).group_by(*_places(key))


_IMPLIED: Final = ("exchange", "currency")
"""Parts of the key that the account and the symbol imply."""


def _places(key: Sequence[Any]) -> list[ColumnElement[Any]]:
    """The key by its place in the select list: its parameters would make a repeated expression a different one."""
    return [literal_column(str(place + 1)) for place in range(len(key))]


def _signed_sum(trades: Any, figure: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """The exact sum over trades with these conditions, negative for sales, as text; null if a figure is unknown."""
    signed = case((trades.c.side == "buy", figure), (trades.c.side == "sell", -figure))
    is_known = func.coalesce(func.bool_and(signed.is_not(None)).filter(*conditions), true())
    return cast(case((is_known, func.coalesce(exact_sum(signed).filter(*conditions), 0))), Text)


@dataclass(slots=True)
class _Running:
    """A position while its parts are read in order; None if the volume, or only the cost, is unknown."""

    volume: Decimal | None = Decimal(0)
    holding: Holding | None = FLAT


_Continue = Callable[[_Running, Row[Any]], None]


def _read(rows: Iterable[Row[Any]], rates: Rates, continued: _Continue) -> _Book:
    with localcontext(DIGITS):
        book = _Book(ExactRates(rates))
        running: dict[_Position, _Running] = defaultdict(_Running)
        for row in sorted(rows, key=lambda row: row.bucket):
            book.left_out += row.left_out
            bar = _ALWAYS if row.bucket == datetime.min else milliseconds(row.bucket)  # noqa: DTZ901  # `-infinity`
            position = _Position(row.ex_id, row.bot_id, row.exchange, row.symbol, row.currency)
            continued(running[position], row)
            book.holdings[position].append((bar, running[position].holding))
            if bar != _ALWAYS:
                _count(book, book.parts[bar], row)
        return book


def _count(book: _Book, part: _Part, row: Row[Any]) -> None:
    part.closed += row.closed
    for money, amount in ((part.profit, row.profit), (part.fees, row.fees)):
        if amount is not None:
            money.add(amount, book.rates.of(row.exchange, row.currency))


def _recorded(position: _Running, row: Row[Any]) -> None:
    """Continue with the position that is recorded after the newest trade of the part."""
    if row.newest is None:  # only trades without a valid time
        return
    volume, price = row.newest[2:]
    if volume == 0:
        position.holding = FLAT
    elif volume is None or price is None:
        position.holding = None
    else:
        size = Decimal(repr(volume))
        position.holding = Holding(size, size * Decimal(repr(price)))


def _computed(position: _Running, row: Row[Any]) -> None:
    """Continue with the position after the trades of the part; see `Holding`."""
    before = position.holding
    if position.volume is None or row.change is None:
        position.volume = position.holding = None
        return
    volume = position.volume = position.volume + Decimal(row.change)
    position.holding = None
    if volume == 0:
        position.holding = FLAT
    elif row.one_sided and row.tail_volume is not None and row.tail_cost is not None:
        opened, cost = Decimal(row.tail_volume), Decimal(row.tail_cost)
        if opened == volume:
            position.holding = Holding(volume, cost)
        elif not row.closed_any and before is not None and before.volume * opened > 0:
            position.holding = Holding(volume, before.cost + cost)


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
    sources: Sources, book: _Book, resolution: Timeframe, grid: Sequence[float], as_of: datetime | None
) -> dict[Market, CandleColumns]:
    markets = sorted(book.markets)
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


def _fill(curve: EquityCurve, book: _Book, prices: _Prices) -> None:
    """Compute the columns of a curve that has its times."""
    with localcontext(DIGITS):
        parts = [book.parts.get(bar, _NOTHING) for bar in curve.time]
        curve.closed_trades = list(accumulate(part.closed for part in parts))
        realized = _running_total([part.profit.total for part in parts])
        unrealized = _unrealized(curve.time, book, prices)
        equity = [
            None if one is None or other is None else one + other
            for one, other in zip(realized, unrealized, strict=True)
        ]
        tops, falls = _falls(realized)
        curve.realized_profit, curve.unrealized_profit, curve.equity = map(_doubles, (realized, unrealized, equity))
        curve.fees = _doubles(_running_total([part.fees.total for part in parts]))
        curve.drawdown, curve.equity_drawdown = _doubles(falls), _doubles(_falls(equity)[1])
        curve.drawdown_fraction = [
            None if curve.capital is None or fall is None else float(fall) / (curve.capital + float(top))
            for fall, top in zip(falls, tops, strict=True)
        ]
        curve.benchmark_return = _held(curve.time, book.coin, prices)
        curve.benchmark_profit = [
            None if curve.capital is None or one is None else curve.capital * one for one in curve.benchmark_return
        ]
        curve.unpriced = book.rates.unpriced


def _running_total(amounts: _Amounts) -> _Amounts:
    """The sum so far at each place; None throughout if an amount is."""
    known = [amount for amount in amounts if amount is not None]
    return list(accumulate(known)) if len(known) == len(amounts) else [None] * len(amounts)


def _falls(amounts: _Amounts) -> tuple[list[Decimal], _Amounts]:
    """The highest known amount so far, at least 0, and the fall below it."""
    tops = list(accumulate((amount or Decimal(0) for amount in amounts), max, initial=Decimal(0)))[1:]
    return tops, [None if amount is None else top - amount for amount, top in zip(amounts, tops, strict=True)]


def _unrealized(grid: Sequence[float], book: _Book, prices: _Prices) -> _Amounts:
    """The value of all open positions without their cost, at the end of each bar."""
    totals: list[Decimal | None] = [Decimal(0)] * len(grid)
    for position, states in book.holdings.items():
        if all(holding is FLAT for _, holding in states):
            continue
        closes = prices.closes(Market(position.exchange, position.symbol)) if position.exchange else {}
        for place, holding in enumerate(_at(grid, states)):
            total = totals[place]
            if holding is not FLAT and total is not None:
                close = closes.get(grid[place])
                value = _value(holding, close)
                rate = None if value is None else book.rates.of(position.exchange, position.currency)
                totals[place] = None if value is None or rate is None else total + value * rate
    return totals


def _value(holding: Holding | None, close: float | None) -> Decimal | None:
    """The profit or loss of closing the position now, in its quote currency."""
    return None if holding is None or close is None else holding.volume * Decimal(repr(close)) - holding.cost


def _at(grid: Sequence[float], states: Sequence[tuple[float, Holding | None]]) -> Iterator[Holding | None]:
    """The position at the end of each bar."""
    holding: Holding | None = FLAT
    place = 0
    for bar in grid:
        while place < len(states) and states[place][0] <= bar:
            holding = states[place][1]
            place += 1
        yield holding


def _held(grid: Sequence[float], coin: Market | None, prices: _Prices) -> Column:
    """The return of the coin since the first bar, at the end of each bar."""
    bought = prices.first(coin) if coin else None
    if coin is None or not bought:
        return [None] * len(grid)
    closes = prices.closes(coin)
    return [closes[bar] / bought - 1 if bar in closes else None for bar in grid]


def _doubles(amounts: _Amounts) -> Column:
    return [None if amount is None else float(amount) for amount in amounts]
