"""Performance and risk of trades, by day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    FunctionElement,
    Select,
    Subquery,
    case,
    column,
    func,
    literal,
    or_,
    select,
    text,
)

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.ledger import (
    Scope,
    TradeKind,
    converted,
    divided,
    in_currency,
    is_dated,
    ledger_entries,
    only_priced,
    unpriced,
)
from fullon_graphql.services.analytics.prices import Rates

YEARLY = math.sqrt(365)
"""Factor from daily to yearly ratios: crypto exchanges trade every day."""

CONFIDENCE = 0.95

MAX_CAPITAL = 1e100
MIN_DAYS = 20
"""Fewest days for the value at risk: 5 % of fewer days are less than one day."""


@dataclass(frozen=True, slots=True)
class Performance:
    """Results of closing trades. Money is in `currency`, and None if `unpriced` has a currency without a price.

    Days are UTC days from the first to the last closing trade; a day without a closing trade has the
    result 0. The curve is the sum of all results so far, from 0, after each closing trade in order of time (and key).

    - `sharpe_ratio` (Sharpe 1994): mean / sample standard deviation of the daily results, times the root of 365,
      risk-free rate 0. Returns are on constant capital, not compounded, so that the capital cancels out and
      need not be assumed. None with fewer than two days, or if all days are equal.
    - `max_drawdown`: the deepest fall of the curve below its highest point so far, as a positive number; its fraction
      is of capital + that highest point, None unless the capital is given.
    - `value_at_risk`: historical simulation (Jorion): minus the 5 % quantile of the daily results, linearly
      interpolated (Hyndman and Fan's type 7, PostgreSQL's `percentile_cont`). Negative if even those days had a profit.
      None with fewer than 20 days. Its fraction is of the capital.
    - `recovery_factor`: net profit / maximum drawdown; None without a drawdown.
    - `risk_score`: the platform's own formula is unknown; ours is 100 * D / (D + max(0, N)) with the maximum
      drawdown D and the net profit N: 0 without a drawdown, 50 if the drawdown equals the profit, 100 without a
      profit. None if both are 0.
    - Quotients by a figure below 1e-150 are None, and those of a part below it 0: a double may not hold them.
    - `left_out`: the number of stored figures that are not finite, and of closing trades with a time outside of the
      years 1970 to 2199; they are in no figure here.
    - `win_rate`, `profit_factor`, `expectancy`: as in the statistics of trades.
    """

    kind: TradeKind
    currency: str
    unpriced: Sequence[str]
    left_out: int
    capital: float | None
    days: int
    closed_trades: int
    net_profit: float | None
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    sharpe_ratio: float | None
    average_day: float | None
    best_day: float | None
    worst_day: float | None
    max_drawdown: float | None
    max_drawdown_fraction: float | None
    value_at_risk: float | None
    value_at_risk_fraction: float | None
    recovery_factor: float | None
    risk_score: float | None


async def of_trades(
    database: Database, redis: Redis, caller: Caller, scope: Scope, currency: str, capital: float | None = None
) -> Performance:
    """The performance of the trades of `scope` that `caller` may see: two statements and one round trip.

    Raises:
        Unauthenticated: the caller is not signed in.
        BadUserInput: the scope is invalid, or the capital (see `require_capital`).
    """
    require_capital(capital)
    entries = ledger_entries(caller, scope)
    rates = await (await prices.read(database, redis, caller)).rates_of_accounts(currency)
    [row] = await database.rows(_statement(entries, rates, capital))
    figures = dict(row._mapping) | {"unpriced": row.unpriced or ()}
    return Performance(kind=scope.kind, currency=currency, capital=capital, **figures)


def require_capital(capital: float | None) -> None:
    """Require that a given capital is above zero, and of a size that fractions of it are doubles.

    Raises:
        BadUserInput: it is not.
    """
    if capital is not None and not 1 / MAX_CAPITAL <= capital <= MAX_CAPITAL:
        raise BadUserInput(
            "`capital`, the capital before the first trade, must be above zero and from 1e-100 to 1e100; got"
            f" {capital}.",
            field="capital",
        )


def _statement(entries: Subquery, rates: Rates, capital: float | None) -> Select[Any]:
    stored = _stored_results(entries, rates)
    closed = select(stored).where(stored.c.roi.is_not(None), stored.c.dated).cte("closed")
    results, days, drawdowns = _results(closed), _days(closed), _drawdowns(closed, capital)
    net, fall = results.c.net_profit, drawdowns.c.fall
    value_at_risk = case((days.c.days >= MIN_DAYS, -days.c.worst))
    money = {
        "net_profit": net,
        "profit_factor": divided(results.c.gross_profit, results.c.gross_loss),
        "expectancy": results.c.mean,
        # If all days are equal, rounding may leave a small deviation above zero.
        "sharpe_ratio": case((days.c.best_day > days.c.worst_day, divided(days.c.average, days.c.deviation) * YEARLY)),
        "average_day": days.c.average,
        "best_day": days.c.best_day,
        "worst_day": days.c.worst_day,
        "max_drawdown": fall,
        "max_drawdown_fraction": drawdowns.c.fraction,
        "value_at_risk": value_at_risk,
        "value_at_risk_fraction": divided(value_at_risk, _capital(capital)),
        "recovery_factor": divided(net, fall),
        "risk_score": 100 * divided(fall, fall + func.greatest(net, 0.0)),
    }
    return select(
        results.c.unpriced,
        _left_out(stored).label("left_out"),
        results.c.closed_trades,
        results.c.win_rate,
        days.c.days,
        *(only_priced(figure, results.c.unpriced).label(name) for name, figure in money.items()),
    ).select_from(results.join(days, literal(True)).join(drawdowns, literal(True)))


def _stored_results(entries: Subquery, rates: Rates) -> CTE:
    """The closing trades with their profit or loss, and the trades with figures that are left out."""
    joined, rate = in_currency(entries, rates)
    columns = entries.c.trade_id, entries.c.time, entries.c.roi, converted(entries.c.roi, rate).label("profit")
    dated = is_dated(entries).label("dated")
    return (
        select(*columns, entries.c.currency, rate.label("rate"), entries.c.left_out, dated)
        .select_from(joined)
        .where(or_(entries.c.roi.is_not(None), entries.c.left_out > 0))
        .cte("results")
    )


def _left_out(results: CTE) -> ColumnElement[int]:
    undated = func.count().filter(results.c.roi.is_not(None), ~results.c.dated)
    return select(func.coalesce(func.sum(results.c.left_out), 0) + undated).scalar_subquery()


def _results(closed: CTE) -> Subquery:
    won, lost = closed.c.roi > 0, closed.c.roi < 0
    return select(
        unpriced(closed, closed.c.rate).label("unpriced"),
        func.count().label("closed_trades"),
        divided(func.count().filter(won), func.count()).label("win_rate"),
        func.coalesce(func.sum(closed.c.profit), 0.0).label("net_profit"),
        func.avg(closed.c.profit).label("mean"),
        func.coalesce(func.sum(closed.c.profit).filter(won), 0.0).label("gross_profit"),
        func.coalesce(-func.sum(closed.c.profit).filter(lost), 0.0).label("gross_loss"),
    ).subquery("results")


def _days(closed: CTE) -> Subquery:
    """Aggregates of the daily results."""
    day = func.date_trunc("day", closed.c.time)
    traded = select(day.label("day"), func.sum(closed.c.profit).label("profit")).group_by(day).cte("traded")
    first, last = (select(edge(traded.c.day)).scalar_subquery() for edge in (func.min, func.max))
    series = func.generate_series(first, last, text("interval '1 day'")).table_valued(column("day"))
    calendar = series.render_derived("calendar")
    result = func.coalesce(traded.c.profit, 0.0)
    return (
        select(
            func.count(calendar.c.day).label("days"),
            func.avg(result).label("average"),
            func.stddev_samp(result).label("deviation"),
            func.max(result).label("best_day"),
            func.min(result).label("worst_day"),
            func.percentile_cont(1 - CONFIDENCE).within_group(result).label("worst"),
        )
        .select_from(calendar.outerjoin(traded, traded.c.day == calendar.c.day))
        .subquery("days")
    )


def _drawdowns(closed: CTE, capital: float | None) -> Subquery:
    """The maximum drawdown of the curve, absolute and as a fraction of capital plus highest point."""
    curve = select(closed.c.time, closed.c.trade_id, _cumulative(func.sum(closed.c.profit), closed).label("total"))
    points = curve.subquery("curve")
    top = func.greatest(0.0, _cumulative(func.max(points.c.total), points))
    tops = select(points.c.total, top.label("top")).subquery("tops")
    fall = tops.c.top - tops.c.total
    return select(
        func.max(fall).label("fall"), func.max(divided(fall, _capital(capital) + tops.c.top)).label("fraction")
    ).subquery("drawdowns")


def _cumulative(figure: FunctionElement[float], trades: CTE | Subquery) -> ColumnElement[float]:
    """The aggregate over a trade and all trades before it."""
    return figure.over(order_by=(trades.c.time, trades.c.trade_id), rows=(None, 0))


def _capital(capital: float | None) -> Any:
    return literal(capital, Double)
