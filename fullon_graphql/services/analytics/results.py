"""Results by day, week or month, in total or in groups: by bot, instrument, side, reason or strategy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
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
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import Bot, CatExchange, CatStrategy, Order, Strategy
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.columns import (
    apart,
    bucket_of,
    doubles,
    integers,
    unix_milliseconds,
    written,
)
from fullon_graphql.services.analytics.ledger import (
    Scope,
    TradeKind,
    exact,
    exact_sum,
    in_currency,
    is_dated,
    ledger_entries,
    with_exchanges,
)
from fullon_graphql.services.analytics.prices import Rates

MAX_ENTRIES: Final = 50_000
"""Maximum number of periods of all groups together."""


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
        BadUserInput: the scope is invalid, or there would be too many entries.
    """
    entries = ledger_entries(caller, replace(scope, period=scope.period.until(as_of)))
    rates = await (await prices.read(database, redis, caller)).rates_of_accounts(currency)
    rows = await database.rows(statement(entries, caller, scope, rates, period.timeframe, grouping))
    return await asyncio.to_thread(_results, rows, scope.kind, currency, period)


def statement(
    entries: FromClause,
    caller: Caller,
    scope: Scope,
    rates: Rates,
    timeframe: Timeframe,
    grouping: ResultGrouping | None = None,
) -> Select[Any]:
    """One row for each group, with its columns as text; those of its undated trades are empty."""
    sums = _sums(entries, caller, scope, timeframe, grouping)
    named, key, name = _named(sums, caller, grouping)
    groups = select(*sums.c, cast(key, Text).label("group_key"), cast(name, Text).label("group_name"))
    amounts = _amounts(groups.select_from(named).subquery("groups"), rates)
    periods = _periods(amounts)
    bucket = periods.c.bucket
    return select(
        periods.c.group_key,
        periods.c.group_name,
        func.sum(periods.c.left_out).label("left_out"),
        select(func.array_agg(amounts.c.currency.distinct()))
        .where(amounts.c.no_profit | amounts.c.no_fees)
        .scalar_subquery()
        .label("unpriced"),
        func.bool_or(periods.c.no_profit).label("no_profit"),
        func.bool_or(periods.c.no_fees).label("no_fees"),
        written(unix_milliseconds(bucket), bucket).label("time"),
        *(written(periods.c[name], bucket).label(name) for name in _FIGURES),
    ).group_by(periods.c.group_key, periods.c.group_name)


_COUNTS: Final = ("trades", "closed", "won")
_MONEY: Final = ("profit", "fees")
_FIGURES: Final = (*_COUNTS, *_MONEY)


def _sums(
    entries: FromClause, caller: Caller, scope: Scope, timeframe: Timeframe, grouping: ResultGrouping | None
) -> Subquery:
    """The sums of each period, key, account and currency with a trade; the period is null for undated trades."""
    bucket = case((is_dated(entries), bucket_of(entries.c.time, timeframe)))
    dated = apart(select(*entries.c, bucket.label("bucket")), "dated")
    source, key = _grouped(dated, caller, scope, grouping)
    same = (dated.c[name] for name in ("bucket", "ex_id", "currency", "roi", "fee", "left_out"))
    trades = apart(select(*same, key.label("key")).select_from(source), "keyed")
    parts = trades.c.bucket, trades.c.key, trades.c.ex_id, trades.c.currency
    counts = func.count(), func.count(trades.c.roi), func.count().filter(trades.c.roi > 0)
    sums = (
        select(
            *parts,
            *(cast(count, Integer).label(name) for name, count in zip(_COUNTS, counts, strict=True)),
            exact_sum(trades.c.roi).label("profit"),
            exact_sum(func.nullif(trades.c.fee, 0)).label("fees"),
            cast(func.sum(trades.c.left_out), Integer).label("left_out"),
        )
        .group_by(*parts)
        .subquery("sums_of_accounts")
    )
    return select(*sums.c, CatExchange.name.label("exchange")).select_from(with_exchanges(sums)).subquery("sums")


def _amounts(sums: Subquery, rates: Rates) -> CTE:
    """The sums in the requested currency: exact products; `no_profit` and `no_fees` mark those without a price."""
    joined, rate = in_currency(sums, rates)
    dated = sums.c.bucket.is_not(None)
    lacking = ((dated & sums.c[name].is_not(None) & rate.is_(None)).label(f"no_{name}") for name in _MONEY)
    same = (sums.c[name] for name in ("group_key", "group_name", "bucket", "currency", *_COUNTS))
    left_out = sums.c.left_out + case((dated, 0), else_=sums.c.closed)
    money = ((sums.c[name] * exact(rate)).label(name) for name in _MONEY)
    return select(*same, *money, *lacking, left_out.label("left_out")).select_from(joined).cte("amounts")


def _periods(amounts: CTE) -> Subquery:
    """The sums of each group and period: one more than allowed, if there are too many."""
    key = amounts.c.group_key, amounts.c.group_name, amounts.c.bucket
    sums = (func.coalesce(func.sum(amounts.c[name]), 0).label(name) for name in (*_FIGURES, "left_out"))
    lacking = (func.bool_or(amounts.c[name]).label(name) for name in ("no_profit", "no_fees"))
    most: ColumnElement[Any] = literal_column(str(MAX_ENTRIES + 1))
    return select(*key, *sums, *lacking).group_by(*key).limit(most).subquery("periods")


def _grouped(
    entries: FromClause, caller: Caller, scope: Scope, grouping: ResultGrouping | None
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


def _results(rows: Sequence[Row[Any]], kind: TradeKind, currency: str, period: ResultPeriod) -> Results:
    """Parse the columns.

    Raises:
        BadUserInput: they have too many entries.
    """
    groups = sorted((_group(row) for row in rows if row.time), key=_order)
    if sum(group.length for group in groups) > MAX_ENTRIES:
        raise BadUserInput(
            f"The results would have more than {MAX_ENTRIES} entries. Request a shorter range, longer periods, or a"
            " narrower selection.",
            field="period",
        )
    unpriced = next((row.unpriced for row in rows), None) or []
    return Results(kind, currency, sorted(unpriced), int(sum(row.left_out for row in rows)), period, groups)


def _group(row: Row[Any]) -> ResultGroup:
    time = doubles(row.time)
    nulls: list[float | None] = [None] * len(time)
    return ResultGroup(
        row.group_key,
        row.group_name,
        time,
        integers(row.trades),
        integers(row.closed),
        integers(row.won),
        nulls if row.no_profit else [*doubles(row.profit)],
        nulls if row.no_fees else [*doubles(row.fees)],
    )


def _order(group: ResultGroup) -> tuple[bool, int, str]:
    """Numbers by value, other keys by text, and the group without a key last."""
    key = group.key or ""
    return group.key is None, int(key) if key.isdecimal() else 0, key
