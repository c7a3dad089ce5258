"""How well trades did day by day, and what was at risk meanwhile."""

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
    select,
    text,
)

from fullon_graphql.auth.principal import Caller
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.analytics import prices
from fullon_graphql.services.analytics.ledger import Scope, TradeKind, book, divided, in_currency, only_priced, unpriced
from fullon_graphql.services.analytics.prices import Rates

YEARLY = math.sqrt(365)
"""From daily to yearly ratios: crypto exchanges have no day off."""

CONFIDENCE = 0.95

FEWEST_DAYS = 20
"""With fewer, the worst 5 % are less than one day, and nobody can say what they look like."""


@dataclass(frozen=True, slots=True)
class Performance:
    """Results of closing trades. Money is in `currency`, and None where `unpriced` names a currency without a price.

    A day is a UTC day; the days are those from the first to the last closing trade, and one without any has the
    result 0. The curve is the sum of all results so far, from 0, after each closing trade in order of time (and key).

    - `sharpe_ratio` (Sharpe 1994): mean / sample standard deviation of the daily results, times the root of 365,
      risk-free rate 0. Returns are taken on constant capital, not compounded, so that the capital cancels out and
      none has to be assumed. None with fewer than two days, or where all days are alike.
    - `max_drawdown`: the deepest fall of the curve below its highest point so far, as a positive number; its fraction
      is of capital + that highest point, and None unless the capital is given.
    - `value_at_risk`: historical simulation (Jorion): minus the 5 % quantile of the daily results, linearly
      interpolated (Hyndman and Fan's type 7, PostgreSQL's `percentile_cont`). Below zero where even those days won.
      None with fewer than 20 days. Its fraction is of the capital.
    - `recovery_factor`: net profit / maximum drawdown; None where there was no drawdown.
    - `risk_score`: the platform's own formula is not known; this one is 100 * D / (D + max(0, N)) with maximum
      drawdown D and net profit N: 0 where nothing was ever lost, 50 where the deepest fall was as large as the
      profit, 100 where there is none. None where both are 0.
    - `win_rate`, `profit_factor`, `expectancy`: as in the statistics of trades.
    """

    kind: TradeKind
    currency: str
    unpriced: Sequence[str]
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
        Unauthenticated: nobody is signed in.
        BadUserInput: the scope cannot be, or the capital is not above zero.
    """
    if capital is not None and not 0 < capital < math.inf:
        raise BadUserInput(f"`capital` is what was there before the first trade, above zero; {capital} came.",
                           field="capital")  # fmt: skip
    entries = book(caller, scope)
    rates = (await prices.read(database, redis, caller)).rates(currency)
    [row] = await database.rows(_statement(entries, rates, capital))
    figures = dict(row._mapping) | {"unpriced": row.unpriced or ()}
    return Performance(kind=scope.kind, currency=currency, capital=capital, **figures)


def _statement(entries: Subquery, rates: Rates, capital: float | None) -> Select[Any]:
    closed = _closed(entries, rates)
    results, days, falls = _results(closed), _days(closed), _falls(closed, capital)
    net, fall = results.c.net_profit, falls.c.fall
    value_at_risk = case((days.c.days >= FEWEST_DAYS, -days.c.worst))
    money = {
        "net_profit": net,
        "profit_factor": divided(results.c.gross_profit, results.c.gross_loss),
        "expectancy": divided(net, results.c.closed_trades),
        # Where all days are alike, rounding may leave a deviation that is not quite zero.
        "sharpe_ratio": case((days.c.best_day > days.c.worst_day, days.c.average / days.c.deviation * YEARLY)),
        "average_day": days.c.average,
        "best_day": days.c.best_day,
        "worst_day": days.c.worst_day,
        "max_drawdown": fall,
        "max_drawdown_fraction": falls.c.fraction,
        "value_at_risk": value_at_risk,
        "value_at_risk_fraction": value_at_risk / _capital(capital),
        "recovery_factor": divided(net, fall),
        "risk_score": 100 * divided(fall, fall + func.greatest(net, 0.0)),
    }
    return select(
        results.c.unpriced,
        results.c.closed_trades,
        results.c.win_rate,
        days.c.days,
        *(only_priced(figure, results.c.unpriced).label(name) for name, figure in money.items()),
    ).select_from(results.join(days, literal(True)).join(falls, literal(True)))


def _closed(entries: Subquery, rates: Rates) -> CTE:
    """The closing trades and what each of them won or lost."""
    joined, rate = in_currency(entries, rates)
    columns = entries.c.trade_id, entries.c.time, entries.c.roi, (entries.c.roi * rate).label("profit")
    return (
        select(*columns, entries.c.currency, rate.label("rate"))
        .select_from(joined)
        .where(entries.c.roi.is_not(None))
        .cte("closed")
    )


def _results(closed: CTE) -> Subquery:
    won, lost = closed.c.roi > 0, closed.c.roi < 0
    return select(
        unpriced(closed, closed.c.rate).label("unpriced"),
        func.count().label("closed_trades"),
        divided(func.count().filter(won), func.count()).label("win_rate"),
        func.coalesce(func.sum(closed.c.profit), 0.0).label("net_profit"),
        func.coalesce(func.sum(closed.c.profit).filter(won), 0.0).label("gross_profit"),
        func.coalesce(-func.sum(closed.c.profit).filter(lost), 0.0).label("gross_loss"),
    ).subquery("results")


def _days(closed: CTE) -> Subquery:
    """What the daily results are like."""
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


def _falls(closed: CTE, capital: float | None) -> Subquery:
    """The deepest fall of the curve, absolute and as a fraction of what there was at its highest point."""
    curve = select(closed.c.time, closed.c.trade_id, _so_far(func.sum(closed.c.profit), closed).label("total"))
    points = curve.subquery("curve")
    top = func.greatest(0.0, _so_far(func.max(points.c.total), points))
    tops = select(points.c.total, top.label("top")).subquery("tops")
    fall = tops.c.top - tops.c.total
    return select(
        func.max(fall).label("fall"), func.max(fall / (_capital(capital) + tops.c.top)).label("fraction")
    ).subquery("falls")


def _so_far(figure: FunctionElement[float], trades: CTE | Subquery) -> ColumnElement[float]:
    """The figure over a trade and all before it."""
    return figure.over(order_by=(trades.c.time, trades.c.trade_id), rows=(None, 0))


def _capital(capital: float | None) -> Any:
    return literal(capital, Double)
