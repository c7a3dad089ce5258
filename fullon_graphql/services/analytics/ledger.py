"""The ledger: live and simulated (dry) trades in one shape, as far as the caller may see them.

All figures about trades are computed from it, in SQL. A closing trade is a live trade with a `roi`, or a simulated
trade with a `roi` that is marked `closingtrade`. `roi` is the result stored by the platform, in the instrument's quote
currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Join,
    Numeric,
    Select,
    Subquery,
    TableValuedAlias,
    Text,
    and_,
    case,
    cast,
    column,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.auth.principal import Caller
from fullon_graphql.errors import BadUserInput
from fullon_graphql.models import CatExchange, DryTrade, Exchange, Order, Trade
from fullon_graphql.services.access import visible
from fullon_graphql.services.analytics.prices import Rate, Rates

MAX_DAYS = 36_500


class TradeKind(Enum):
    """Live or simulated trades."""

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
            BadUserInput: `days` is out of range, or combined with `start`.
        """
        if self.days is None:
            return self.start, self.end
        if self.start is not None:
            raise BadUserInput("Give `from` or `days`, not both.", field="days")
        if not 1 <= self.days <= MAX_DAYS:
            raise BadUserInput(f"`days` must be from 1 to {MAX_DAYS}; got {self.days}.", field="days")
        end = self.end or now or datetime.now(UTC)
        return _earlier(end, self.days), self.end

    def until(self, as_of: datetime | None) -> Period:
        """The part of the period before `as_of`; without an end, `days` count back from it.

        Raises:
            BadUserInput: as `bounds` does.
        """
        start, end = self.bounds(as_of)
        return Period(start, end if as_of is None else min(end or as_of, as_of))


@dataclass(frozen=True, slots=True)
class Scope:
    """Filters of the trades that the caller may see; None does not filter.

    A live trade belongs to a bot if the bot has an order on the same account with the same `ex_order_id`.
    """

    kind: TradeKind = TradeKind.LIVE
    period: Period = Period()
    uid: int | None = None
    ex_id: int | None = None
    symbol: str | None = None
    bot_ids: Sequence[int] | None = None


def ledger_entries(caller: Caller, scope: Scope) -> Subquery:
    """The trades of `scope` that `caller` may see.

    Columns: trade_id, uid, ex_id, symbol, side (lower case), cost, fee, roi and roi_pct (null unless the trade
    closes), left_out (how many of these four are NaN, infinite or beyond 1e100, and null here), time (UTC), currency
    (of cost, fee and roi; the symbol itself if it has no slash, because then the currency is unknown), exchange (its
    name; null if the account is deleted), volume (null if it is not finite), and bot_id if `scope.bot_ids` is given. Of
    live trades also ex_order_id, position and entry_price (the recorded position after the trade, null if it is not
    recorded or not finite); of simulated trades also bot_id and reason.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read.
        BadUserInput: the period or the symbol is invalid.
    """
    rows = (_live if scope.kind is TradeKind.LIVE else _dry)(caller, scope.bot_ids).subquery("entries")
    figures = [rows.c[name] for name in _FIGURES]
    others = [column for column in rows.c if column.name not in _FIGURES]
    columns = [
        *others,
        *(case((_is_figure(one), cast(one, Double))).label(one.name) for one in figures),
        sum((case((_is_figure(one), 0), (one.is_(None), 0), else_=1) for one in figures), literal(0)).label("left_out"),
        currency_of(rows.c.symbol).label("currency"),
        CatExchange.name.label("exchange"),
    ]
    conditions = scope_conditions(scope, rows.c.uid, rows.c.ex_id, rows.c.symbol, rows.c.time)
    return select(*columns).select_from(with_exchanges(rows)).where(*conditions).subquery("ledger")


def with_exchanges(rows: Subquery) -> Join:
    """The rows joined with the exchange of their account, `CatExchange`; its columns are null for a deleted account."""
    accounts = rows.outerjoin(Exchange, Exchange.ex_id == rows.c.ex_id)
    return accounts.outerjoin(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)


_FIGURES: Final = ("cost", "fee", "roi", "roi_pct")
_DATED: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC))


def is_dated(entries: FromClause) -> ColumnElement[bool]:
    """True for a time that results count at: PostgreSQL stores infinity too, up to which no day can be computed."""
    return entries.c.time.between(*_DATED)


def _is_figure(figure: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Null for null. Sums and squares of figures stay finite; NaN is greater than every number."""
    return func.abs(figure) <= literal_column("1e100")


def in_currency(entries: Subquery, rates: Rates) -> tuple[Any, ColumnElement[float]]:
    """The entries joined with the rates of their currencies, and the rate: null for a currency without a price.

    A rate of the entry's exchange comes before the common one.
    """
    common = _table("rate", rates.by_currency.values(), name=rates.by_currency)
    exchanges, names = ([key[place] for key in rates.by_exchange] for place in (0, 1))
    own = _table("own_rate", rates.by_exchange.values(), exchange=exchanges, name=names)
    joined = entries.outerjoin(common, common.c.name == entries.c.currency).outerjoin(
        own, and_(own.c.exchange == entries.c.exchange, own.c.name == entries.c.currency)
    )
    return joined, func.coalesce(own.c.value, common.c.value)


def _table(alias: str, rates: Iterable[Rate], /, **keys: Iterable[str]) -> TableValuedAlias:
    """The rates as rows with their keys."""
    arrays = [literal(list(values), ARRAY(Text)) for values in keys.values()]
    values = literal([rate.value for rate in rates], ARRAY(Double))
    columns = [*(column(key, Text) for key in keys), column("value", Double)]
    return func.unnest(*arrays, values).table_valued(*columns).render_derived(alias)


def exact(figure: ColumnElement[Any]) -> ColumnElement[Any]:
    """A figure as a decimal number without rounding: its shortest text, because a cast to `numeric` keeps 15 digits."""
    return cast(cast(figure, Text), Numeric)


_UNITS: Final[ColumnElement[Any]] = literal_column("1e8")
_UNIT: Final[ColumnElement[Any]] = literal_column("1e-8")
_MOST: Final[ColumnElement[Any]] = literal_column("1e7")


def exact_sum(figure: ColumnElement[Any], condition: ColumnElement[bool] | None = None) -> ColumnElement[Any]:
    """The sum of a figure as a decimal number without rounding, over the rows with the condition; null without figures.

    A figure with at most 8 decimals and 15 digits is added as an integer, in a third of the time. It is one if it is
    the double nearest to `units * 1e-8`: decimals of up to 15 digits have different doubles, so this is its shortest.
    """
    units = cast(figure * _UNITS, BigInteger)
    size = func.abs(figure)
    is_short = case((size < _MOST, cast(units, Double) / _UNITS == figure), (size >= _MOST, false()))
    wanted = true() if condition is None else condition
    short = func.sum(units).filter(and_(wanted, is_short))
    others = func.sum(exact(figure)).filter(and_(wanted, ~is_short))
    return func.coalesce(short * _UNIT + func.coalesce(others, 0), others)


def only_priced(money: ColumnElement[Any], unpriced: ColumnElement[Any]) -> ColumnElement[Any]:
    """`money`, or null if a part of it has no price."""
    return case((unpriced.is_(None), money))


_TINY: Final[ColumnElement[Any]] = literal_column("1e-150")
"""PostgreSQL refuses a quotient that is not 0 and below the smallest double, or above the greatest. Figures above this
have no such quotients, because figures are up to 1e100 and rates from 1e-40 to 1e40."""
_CONVERTIBLE: Final[ColumnElement[Any]] = literal_column("1e-260")
"""Figures above this have products with rates that are doubles."""


def converted(figure: ColumnElement[Any], rate: ColumnElement[float]) -> ColumnElement[Any]:
    """The figure in the currency of the rate. A tiny figure is 0 if its product may be too small for a double."""
    return case((and_(func.abs(figure) < _CONVERTIBLE, rate < 1), 0), else_=figure * rate)


def divided(part: ColumnElement[Any], by: ColumnElement[Any]) -> ColumnElement[Any]:
    """`part / by`, null for a division by zero or by a tiny figure, and 0 for a tiny part."""
    return case((func.abs(part) < _TINY, 0), else_=part) / case((func.abs(by) >= _TINY, cast(by, Double)))


def unpriced(entries: FromClause, rate: ColumnElement[float]) -> ColumnElement[Any]:
    """The distinct currencies without a price, in order; null if there are none."""
    return func.array_agg(entries.c.currency.distinct()).filter(rate.is_(None))


def currency_of(symbol: ColumnElement[str]) -> ColumnElement[str]:
    """The quote currency of an instrument; the symbol itself if it has no slash."""
    quote = func.split_part(func.split_part(symbol, ":", 1), "/", 2)
    return func.coalesce(func.nullif(quote, ""), symbol)


def scope_conditions(
    scope: Scope,
    uid: ColumnElement[int] | InstrumentedAttribute[int],
    ex_id: ColumnElement[int] | InstrumentedAttribute[int],
    symbol: ColumnElement[str] | InstrumentedAttribute[str],
    time: ColumnElement[datetime] | InstrumentedAttribute[datetime],
) -> list[ColumnElement[bool]]:
    """The conditions of the scope on rows with these columns, except the condition on bots.

    Raises:
        BadUserInput: the period or the symbol is invalid.
    """
    start, end = scope.period.bounds()
    if scope.symbol is not None and "\0" in scope.symbol:
        raise BadUserInput("A symbol cannot contain a NUL character.", field="symbol")
    wanted = (uid, scope.uid), (ex_id, scope.ex_id), (symbol, scope.symbol)
    conditions = [column == value for column, value in wanted if value is not None]
    if start is not None:
        conditions.append(time >= start)
    if end is not None:
        conditions.append(time < end)
    return conditions


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
        Trade.ex_order_id,
        case((_is_figure(Trade.volume), Trade.volume)).label("volume"),
        case((_is_figure(Trade.cur_volume), Trade.cur_volume)).label("position"),
        case((_is_figure(Trade.cur_avg_price), Trade.cur_avg_price)).label("entry_price"),
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
        case((_is_figure(DryTrade.volume), DryTrade.volume)).label("volume"),
        DryTrade.bot_id,
        DryTrade.reason,
    )
    return trades if bot_ids is None else trades.where(DryTrade.bot_id == func.any(_integers(bot_ids)))


def _integers(values: Sequence[int]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Integer))


def _earlier(time: datetime, days: int) -> datetime:
    try:
        return time - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
