"""Results by day, week or month, in total or in groups: by bot, instrument, side, reason or strategy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from enum import Enum
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
)

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.models import Bot, CatStrategy, Order, Strategy
from fullon_graphql.ohlcv.timeframes import ORIGIN, Timeframe
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.ledger import Scope, TradeKind, exact_sum, is_dated, ledger_entries
from fullon_graphql.services.analytics.prices import Rates

DIGITS: Final = Context(prec=1000)
"""Sums of decimals with these digits are exact: figures are from 1e-324 to 1e100."""


class ResultPeriod(Enum):
    """The length of the periods that results are summed over, in UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def timeframe(self) -> Timeframe:
        """The bars of candles that begin and end with these periods."""
        return _TIMEFRAMES[self]


_TIMEFRAMES: Final = {
    ResultPeriod.DAY: Timeframe.D1,
    ResultPeriod.WEEK: Timeframe.W1,
    ResultPeriod.MONTH: Timeframe.MN1,
}


class ResultGrouping(Enum):
    """The property by which results are grouped."""

    BOT = "bot"
    SYMBOL = "symbol"
    SIDE = "side"
    REASON = "reason"
    STRATEGY = "strategy"


@dataclass(slots=True)
class ResultGroup:
    """The results of one group in each period with a trade of it, as columns of equal length.

    - `key`: the bot's `botId`, the symbol, `BUY` or `SELL`, the reason, or the template's `catStrId`, as text. None
      for trades whose group is not recorded or ambiguous, and for the only group if results are not grouped.
    - `name`: the name of the bot or of the strategy's template; None if it does not exist any more, and for others.
    - `time`: the start of each period in Unix milliseconds, ascending.
    - `total_trades`, `closed_trades`, `winning_trades`: numbers of trades, of closing trades, and of those with
      `roi` > 0.
    - `net_profit`: sum of `roi` of the closing trades; `total_fees`: sum of `fee` of all trades. Exact decimal sums
      in each currency, converted and added without rounding, and rounded once to the nearest double. A column is None
      throughout if one of its amounts has no price.
    """

    key: str | None = None
    name: str | None = None
    time: list[float] = field(default_factory=list)
    total_trades: list[int] = field(default_factory=list)
    closed_trades: list[int] = field(default_factory=list)
    winning_trades: list[int] = field(default_factory=list)
    net_profit: list[float | None] = field(default_factory=list)
    total_fees: list[float | None] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Number of periods."""
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Results:
    """Results of trades by period, in groups, by key and the group without a key last.

    A trade counts in the period of its own time, UTC: days start at midnight, weeks on Monday, months on the first.
    `left_out` counts the stored figures that are not finite, and closing trades with a time outside of the years 1970
    to 2199. `unpriced` has the currencies without a price.
    """

    kind: TradeKind
    currency: str
    unpriced: Sequence[str]
    left_out: int
    period: ResultPeriod
    groups: Sequence[ResultGroup]


async def by_period(
    database: Database,
    redis: Redis,
    caller: Caller,
    scope: Scope,
    currency: str,
    period: ResultPeriod,
    grouping: ResultGrouping | None = None,
    as_of: datetime | None = None,
) -> Results:
    """The results of the trades of `scope` that `caller` may see, made before `as_of`.

    Two statements and one round trip, as all statistics of trades.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read.
        BadUserInput: the scope is invalid.
    """
    entries = ledger_entries(caller, replace(scope, period=scope.period.until(as_of)))
    rates = await (await prices.read(database, redis, caller)).rates_of_accounts(currency)
    rows = await database.rows(_statement(entries, caller, scope, period.timeframe, grouping))
    with localcontext(DIGITS):
        return _results(rows, scope.kind, rates, period)


def bucket_of(time: ColumnElement[Any], timeframe: Timeframe) -> ColumnElement[Any]:
    """The start of the bar of `timeframe` that contains a UTC time, as candles have it."""
    if timeframe.width is None:
        return func.date_trunc("month", time)
    step: ColumnElement[Any] = literal_column(f"interval '{timeframe.width.total_seconds():.0f} seconds'")
    return func.date_bin(step, time, literal_column(f"timestamp '{ORIGIN:%Y-%m-%d}'"))


def milliseconds(bucket: datetime) -> float:
    """The start of a bucket, as PostgreSQL has it (UTC without a zone), in Unix milliseconds."""
    return bucket.replace(tzinfo=UTC).timestamp() * 1000


def _statement(
    entries: Subquery, caller: Caller, scope: Scope, timeframe: Timeframe, grouping: ResultGrouping | None
) -> Select[Any]:
    """One row for each period, group, exchange and currency with a trade; the period is null for undated trades."""
    joined, key = _grouped(entries, caller, scope, grouping)
    dated = is_dated(entries)
    sums = (
        select(
            case((dated, bucket_of(entries.c.time, timeframe))).label("bucket"),
            key.label("key"),
            entries.c.exchange,
            entries.c.currency,
            func.count().label("trades"),
            func.count(entries.c.roi).label("closed"),
            func.count().filter(entries.c.roi > 0).label("won"),
            exact_sum(entries.c.roi).label("profit"),
            exact_sum(func.nullif(entries.c.fee, 0)).label("fees"),
            func.sum(entries.c.left_out).label("left_out"),
        )
        .select_from(joined)
        .group_by(literal_column("1"), literal_column("2"), entries.c.exchange, entries.c.currency)
        .cte("sums")
    )
    named, group, name = _named(sums, caller, grouping)
    figures = sums.c.trades, sums.c.closed, sums.c.won, sums.c.exchange, sums.c.currency, sums.c.left_out
    texts = (cast(sums.c[sum_], Text).label(sum_) for sum_ in ("profit", "fees"))
    return select(sums.c.bucket, cast(group, Text).label("key"), name.label("name"), *figures, *texts).select_from(
        named
    )


def _grouped(
    entries: Subquery, caller: Caller, scope: Scope, grouping: ResultGrouping | None
) -> tuple[Any, ColumnElement[Any]]:
    """The entries joined with the source of their group, and the group; for a strategy, at first its bot."""
    match grouping:
        case None:
            return entries, null()
        case ResultGrouping.SYMBOL:
            return entries, entries.c.symbol
        case ResultGrouping.SIDE:
            return entries, func.upper(entries.c.side)
    name = "reason" if grouping is ResultGrouping.REASON else "bot_id"
    if name in entries.c:
        return entries, entries.c[name]
    orders = _orders(caller, scope)
    same = and_(
        orders.c.uid == entries.c.uid,
        orders.c.ex_id == entries.c.ex_id,
        orders.c.ex_order_id == entries.c.ex_order_id,
    )
    return entries.outerjoin(orders, same), orders.c[name]


def _orders(caller: Caller, scope: Scope) -> Subquery:
    """The bot and the reason of each order of an account by its exchange's id; null if orders with one id differ."""
    key = Order.uid, Order.ex_id, Order.ex_order_id
    wanted = [] if scope.bot_ids is None else [Order.bot_id.in_(scope.bot_ids)]
    return (
        visible(Order, caller)
        .with_only_columns(*key, _only(Order.bot_id).label("bot_id"), _only(Order.reason).label("reason"))
        .where(Order.ex_order_id.is_not(None), *wanted)
        .group_by(*key)
        .subquery("orders_of_trades")
    )


def _only(column: Any) -> ColumnElement[Any]:
    """The value that all rows of a group have; null if they differ."""
    return case((func.min(column) == func.max(column), func.min(column)))


def _named(sums: Any, caller: Caller, grouping: ResultGrouping | None) -> tuple[Any, ColumnElement[Any], Any]:
    """The sums with names, the final group, and its name."""
    if grouping is ResultGrouping.BOT:
        bots = visible(Bot, caller).with_only_columns(Bot.bot_id, Bot.name).subquery("named_bots")
        return sums.outerjoin(bots, bots.c.bot_id == sums.c.key), sums.c.key, bots.c.name
    if grouping is ResultGrouping.STRATEGY:
        strategies = (
            visible(Strategy, caller)
            .with_only_columns(Strategy.bot_id, _only(Strategy.cat_str_id).label("cat_str_id"))
            .group_by(Strategy.bot_id)
            .subquery("strategies_of_bots")
        )
        templates = (
            visible(CatStrategy, caller)
            .with_only_columns(CatStrategy.cat_str_id, CatStrategy.name)
            .subquery("templates")
        )
        joined = sums.outerjoin(strategies, strategies.c.bot_id == sums.c.key).outerjoin(
            templates, templates.c.cat_str_id == strategies.c.cat_str_id
        )
        return joined, strategies.c.cat_str_id, templates.c.name
    return sums, sums.c.key, null()


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


@dataclass(slots=True)
class _Sum:
    """The sums of one group in one period."""

    trades: int = 0
    closed: int = 0
    won: int = 0
    profit: Money = field(default_factory=Money)
    fees: Money = field(default_factory=Money)


class _Group(NamedTuple):
    key: str | None
    name: str | None


def _results(rows: Iterable[Row[Any]], kind: TradeKind, rates: Rates, period: ResultPeriod) -> Results:
    exact, left_out = ExactRates(rates), 0
    sums: dict[_Group, dict[float, _Sum]] = defaultdict(lambda: defaultdict(_Sum))
    for row in rows:
        left_out += row.left_out
        if row.bucket is None:
            left_out += row.closed
            continue
        one = sums[_Group(row.key, row.name)][milliseconds(row.bucket)]
        one.trades += row.trades
        one.closed += row.closed
        one.won += row.won
        for money, amount in ((one.profit, row.profit), (one.fees, row.fees)):
            if amount is not None:
                money.add(amount, exact.of(row.exchange, row.currency))
    groups = [_columns(group, sums[group]) for group in sorted(sums, key=_order)]
    return Results(kind, rates.currency, exact.unpriced, left_out, period, groups)


def _order(group: _Group) -> tuple[bool, int, str]:
    """Numbers by value, other keys by text, and the group without a key last."""
    key = group.key or ""
    return group.key is None, int(key) if key.isdecimal() else 0, key


def _columns(group: _Group, sums: Mapping[float, _Sum]) -> ResultGroup:
    found = ResultGroup(*group)
    found.time = sorted(sums)
    ordered = [sums[time] for time in found.time]
    found.total_trades = [one.trades for one in ordered]
    found.closed_trades = [one.closed for one in ordered]
    found.winning_trades = [one.won for one in ordered]
    found.net_profit = as_column([one.profit.total for one in ordered])
    found.total_fees = as_column([one.fees.total for one in ordered])
    return found


def as_column(amounts: Sequence[Decimal | None]) -> list[float | None]:
    """The amounts as doubles; all None if one of them has no price."""
    known = [float(amount) for amount in amounts if amount is not None]
    return [*known] if len(known) == len(amounts) else [None] * len(amounts)
