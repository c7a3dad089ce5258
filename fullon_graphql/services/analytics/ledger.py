"""The book: trades that were made (live) or simulated (dry), in one shape, as far as a caller may see them.

All figures about trades are computed from here, in SQL. What closes a position, in this book, is a live trade with a
`roi`, or a simulated one with a `roi` that is marked `closingtrade`; `roi` is the result the platform has stored, in
the instrument's quote currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    Subquery,
    Text,
    and_,
    case,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.auth.principal import Caller
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import DryTrade, Order, Trade
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics.prices import Rates

MOST_DAYS = 36_500


class TradeKind(Enum):
    """Which book."""

    LIVE = "live"
    DRY = "dry"


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (inclusive) to `end` (exclusive), UTC; open where None. `days` count back from `end`, or now."""

    start: datetime | None = None
    end: datetime | None = None
    days: int | None = None

    def bounds(self, now: datetime | None = None) -> tuple[datetime | None, datetime | None]:
        """Start and end.

        Raises:
            BadUserInput: `days` is out of range, or comes with `start`.
        """
        if self.days is None:
            return self.start, self.end
        if self.start is not None:
            raise BadUserInput("Give `from` or `days`, not both.", field="days")
        if not 1 <= self.days <= MOST_DAYS:
            raise BadUserInput(f"`days` is from 1 to {MOST_DAYS}; {self.days} came.", field="days")
        end = self.end or now or datetime.now(UTC)
        return _earlier(end, self.days), self.end


@dataclass(frozen=True, slots=True)
class Scope:
    """Which trades: each part narrows what the caller may see, None does not.

    A live trade is a bot's where the bot has an order on the same account with the same `ex_order_id`.
    """

    kind: TradeKind = TradeKind.LIVE
    period: Period = Period()
    uid: int | None = None
    ex_id: int | None = None
    symbol: str | None = None
    bot_ids: Sequence[int] | None = None


def book(caller: Caller, scope: Scope) -> Subquery:
    """The trades of `scope` that `caller` may see.

    Columns: trade_id, uid, ex_id, symbol, side (lower case), cost, fee, roi and roi_pct (null unless the trade
    closes), time (UTC), currency (what cost, fee and roi are in; for a symbol without a slash nobody says, and its
    own name stands there), and bot_id where bots are asked for.

    Raises:
        Unauthenticated: nobody is signed in.
        Forbidden: the credential may not read.
        BadUserInput: the period or the symbol cannot be.
    """
    rows = (_live if scope.kind is TradeKind.LIVE else _dry)(caller, scope.bot_ids).subquery("entries")
    columns = [*rows.c, _currency(rows.c.symbol).label("currency")]
    demands = within(scope, rows.c.uid, rows.c.ex_id, rows.c.symbol, rows.c.time)
    return select(*columns).where(*demands).subquery("book")


def in_currency(entries: Subquery, rates: Rates) -> tuple[Any, ColumnElement[float]]:
    """The entries joined with what their currencies are worth, and that: null where a currency has no price."""
    names = literal(list(rates.by_currency), ARRAY(Text))
    values = literal([rate.value for rate in rates.by_currency.values()], ARRAY(Double))
    pairs = func.unnest(names, values).table_valued(column("name", Text), column("value", Double))
    worth = pairs.render_derived("worth")
    return entries.outerjoin(worth, worth.c.name == entries.c.currency), worth.c.value


def only_priced(money: ColumnElement[Any], unpriced: ColumnElement[Any]) -> ColumnElement[Any]:
    """`money`, or null where some of it has no price: part of a sum is not the sum."""
    return case((unpriced.is_(None), money))


def divided(part: ColumnElement[Any], by: ColumnElement[Any]) -> ColumnElement[Any]:
    """`part / by`, null where that is a division by zero."""
    return part / func.nullif(by, 0, type_=Double)


def unpriced(entries: FromClause, rate: ColumnElement[float]) -> ColumnElement[Any]:
    """The currencies without a price, each once and in order; null where all have one."""
    return func.array_agg(entries.c.currency.distinct()).filter(rate.is_(None))


def within(
    scope: Scope,
    uid: ColumnElement[int] | InstrumentedAttribute[int],
    ex_id: ColumnElement[int] | InstrumentedAttribute[int],
    symbol: ColumnElement[str] | InstrumentedAttribute[str],
    time: ColumnElement[datetime] | InstrumentedAttribute[datetime],
) -> list[ColumnElement[bool]]:
    """What the scope demands of rows with these columns, bots aside.

    Raises:
        BadUserInput: the period or the symbol cannot be.
    """
    start, end = scope.period.bounds()
    if scope.symbol is not None and "\0" in scope.symbol:
        raise BadUserInput("No symbol has a NUL in it.", field="symbol")
    wanted = (uid, scope.uid), (ex_id, scope.ex_id), (symbol, scope.symbol)
    demands = [column == value for column, value in wanted if value is not None]
    if start is not None:
        demands.append(time >= start)
    if end is not None:
        demands.append(time < end)
    return demands


def _live(caller: Caller, bot_ids: Sequence[int] | None) -> Select[Any]:
    trades = visible(Trade, caller).with_only_columns(
        Trade.trade_id,
        Trade.uid,
        Trade.ex_id,
        Trade.symbol,
        func.lower(Trade.side).label("side"),
        Trade.cost,
        Trade.fee,
        Trade.roi,
        case((Trade.roi.is_not(None), Trade.roi_pct)).label("roi_pct"),
        Trade.time.label("time"),
    )
    if bot_ids is None:
        return trades
    ordered = (
        visible(Order, caller)
        .with_only_columns(Order.bot_id, Order.uid, Order.ex_id, Order.ex_order_id)
        .where(Order.bot_id == func.any(_integers(bot_ids)), Order.ex_order_id.is_not(None))
        .distinct()
        .subquery("ordered")
    )
    same = and_(ordered.c.uid == Trade.uid, ordered.c.ex_id == Trade.ex_id, ordered.c.ex_order_id == Trade.ex_order_id)
    return trades.add_columns(ordered.c.bot_id).join(ordered, same)


def _dry(caller: Caller, bot_ids: Sequence[int] | None) -> Select[Any]:
    trades = visible(DryTrade, caller).with_only_columns(
        DryTrade.trade_id,
        DryTrade.uid,
        DryTrade.ex_id,
        DryTrade.symbol,
        func.lower(DryTrade.side).label("side"),
        DryTrade.cost,
        DryTrade.fee,
        case((DryTrade.closingtrade, DryTrade.roi)).label("roi"),
        case((and_(DryTrade.closingtrade, DryTrade.roi.is_not(None)), DryTrade.roi_pct)).label("roi_pct"),
        DryTrade.timestamp.label("time"),
    )
    if bot_ids is None:
        return trades
    return trades.add_columns(DryTrade.bot_id).where(DryTrade.bot_id == func.any(_integers(bot_ids)))


def _currency(symbol: ColumnElement[str]) -> ColumnElement[str]:
    quote = func.split_part(func.split_part(symbol, ":", 1), "/", 2)
    return func.coalesce(func.nullif(quote, ""), symbol)


def _integers(values: Sequence[int]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Integer))


def _earlier(time: datetime, days: int) -> datetime:
    try:
        return time - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
