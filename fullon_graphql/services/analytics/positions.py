"""Positions over time: what an account or a bot holds of each instrument at the end of each bar.

PostgreSQL writes the figures of a position as columns, see columns.py; this module reads them in order of time.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    FromClause,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array

from fullon_graphql.models import CatExchange
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.services.analytics.columns import apart, bucket_of, doubles, texts, unix_milliseconds, written
from fullon_graphql.services.analytics.ledger import currency_of, exact_sum, is_dated, with_exchanges

DIGITS: Final = Context(prec=1000)
"""Sums of decimals with these digits are exact: figures are from 1e-324 to 1e100."""


_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """A position of an instrument over time, as columns of equal length with a value for each bar with a trade of it.

    Of an account, it is the recorded position after the newest live trade of the instrument. The records have no
    position of a bot, so that of a bot, and any simulated one, is computed from the bot's own trades since its first
    one: the volume is the sum of theirs, the cost that of the trades that opened it. The cost is known if the position
    was opened after the last closing trade, or has only grown since. It is unknown after a partial close, until the
    position is closed: the records do not have which part was closed.
    """

    exchange: str | None
    """None if the account is deleted."""
    symbol: str
    currency: str
    bars: Sequence[float]
    """The starts of the bars in Unix milliseconds, ascending; minus infinity for the time before the period."""
    volumes: Sequence[Decimal | None]
    """The volume after each bar, negative for a short; None if it is unknown."""
    costs: Sequence[Decimal | None]
    """The volume times the average entry price after each bar; None if it is unknown."""

    @property
    def was_open(self) -> bool:
        """True if it was ever open, or unknown."""
        return any(self.volumes) or None in self.costs

    @property
    def was_known(self) -> bool:
        """True if it was ever open with a known cost."""
        return any(volume and cost is not None for volume, cost in zip(self.volumes, self.costs, strict=True))


def recorded(entries: FromClause, resolution: Timeframe, start: datetime | None) -> Select[Any]:
    """The recorded positions of accounts: volume and entry price after the newest trade of each bar."""
    trades = _trades(entries, resolution, start)
    key = [trades.c[name] for name in ("bucket", "ex_id", "symbol")]
    numbers = [func.date_part("epoch", trades.c.time), trades.c.trade_id, trades.c.position, trades.c.entry_price]
    newest = func.max(cast(array(numbers), ARRAY(Double)))
    figures = newest[3].label("volume"), newest[4].label("price")
    return _by_position(apart(select(*key, *figures).where(trades.c.dated).group_by(*key), "parts"), "volume", "price")


READ: Final = (
    "time", "ex_id", "bot_id", "symbol", "currency", "side", "volume", "cost", "fee", "roi", "left_out",
)  # fmt: skip
"""The columns of the entries that `computed` and sums of the same entries need."""


def computed(entries: FromClause, resolution: Timeframe, start: datetime | None) -> Select[Any]:
    """The positions of bots: the change of the volume in each bar, and volume and cost after its last closing trade.

    `closes` is true if there is such a trade. `one_sided` is true if the trades after it only bought or only sold; null
    if there are none.
    """
    trades = _trades(entries, resolution, start)
    names = ("bucket", "ex_id", "bot_id", "symbol")
    key = [trades.c[name] for name in names]
    closing = func.max(trades.c.time).filter(trades.c.roi.is_not(None)).label("closing")
    closings = select(*key, closing).where(trades.c.dated).group_by(*key).subquery("closings")
    same = and_(*(trades.c[name] == closings.c[name] for name in names))
    signed = (_signed(trades.c.side, trades.c[name]).label(name) for name in ("volume", "cost"))
    is_open = closings.c.closing.is_(None)
    tail = or_(is_open, trades.c.time > closings.c.closing).label("tail")
    rows = select(*key, (trades.c.side == "buy").label("buys"), *signed, is_open.label("is_open"), tail)
    # Each trade has a row of closings. PostgreSQL would expect a single row of an inner join, and sort all on disk.
    marked = apart(rows.select_from(trades.outerjoin(closings, same)).where(trades.c.dated), "marked")
    key = [marked.c[name] for name in names]
    sides = (each(marked.c.buys).filter(marked.c.tail) for each in (func.bool_and, func.bool_or))
    parts = (
        select(
            *key,
            (~func.bool_and(marked.c.is_open)).label("closes"),
            _known_sum(marked.c.volume, true()).label("change"),
            _known_sum(marked.c.volume, marked.c.tail).label("tail_volume"),
            _known_sum(marked.c.cost, marked.c.tail).label("tail_cost"),
            operator.eq(*sides).label("one_sided"),
        )
        .group_by(*key)
        .subquery("parts")
    )
    return _by_position(parts, "closes", "change", "tail_volume", "tail_cost", "one_sided")


_BEFORE: Final[ColumnElement[Any]] = literal_column("timestamp '-infinity'")


def _trades(entries: FromClause, resolution: Timeframe, start: datetime | None) -> Subquery:
    """The entries with their bar, `-infinity` before the period."""
    dated = is_dated(entries)
    inside: ColumnElement[bool] = true() if start is None else entries.c.time >= start
    bucket = case((and_(dated, inside), bucket_of(entries.c.time, resolution)), else_=_BEFORE)
    return apart(select(*entries.c, bucket.label("bucket"), dated.label("dated")), "trades_of_bars")


def _signed(side: ColumnElement[Any], figure: ColumnElement[Any]) -> ColumnElement[Any]:
    """The figure, negative for a sale; null if either is unknown."""
    return case((side == "buy", figure), (side == "sell", -figure))


def _known_sum(figure: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    """The exact sum of a figure over rows with this condition; null if it is unknown in one of them."""
    is_known = func.coalesce(func.bool_and(figure.is_not(None)).filter(condition), true())
    return case((is_known, func.coalesce(exact_sum(figure, condition), 0)))


_NULL: Final = "null"


def _by_position(parts: Subquery, *figures: str) -> Select[Any]:
    """One row for each position, with these figures of its parts as columns."""
    key = [parts.c[name] for name in ("ex_id", "bot_id", "symbol") if name in parts.c]
    bucket = parts.c.bucket
    columns = (written(func.coalesce(cast(parts.c[name], Text), _NULL), bucket).label(name) for name in figures)
    bars = written(unix_milliseconds(bucket), bucket).label("bars")
    positions = select(*key, bars, *columns).group_by(*key).subquery("columns_of_positions")
    return select(
        CatExchange.name.label("exchange"),
        currency_of(positions.c.symbol).label("currency"),
        *(positions.c[name] for name in ("symbol", "bars", *figures)),
    ).select_from(with_exchanges(positions))


def parse_recorded(row: Row[Any]) -> Position:
    """The position of a row of `recorded`."""
    volumes, prices = _decimals(row.volume), _decimals(row.price)
    costs = [
        _ZERO if volume == 0 else None if volume is None or price is None else volume * price
        for volume, price in zip(volumes, prices, strict=True)
    ]
    return Position(row.exchange, row.symbol, row.currency, doubles(row.bars), volumes, costs)


def parse_computed(row: Row[Any]) -> Position:
    """The position of a row of `computed`."""
    volume: Decimal | None = _ZERO
    cost: Decimal | None = _ZERO
    volumes: list[Decimal | None] = []
    costs: list[Decimal | None] = []
    figures = _decimals(row.change), _decimals(row.tail_volume), _decimals(row.tail_cost)
    for change, opened, spent, closes, one_sided in zip(*figures, texts(row.closes), texts(row.one_sided), strict=True):
        before, before_cost = volume, cost
        volume = None if volume is None or change is None else volume + change
        cost = _ZERO if volume == 0 else None
        if volume and one_sided == "true" and opened is not None and spent is not None:
            if opened == volume:
                cost = spent
            elif closes == "false" and before is not None and before_cost is not None and before * opened > 0:
                cost = before_cost + spent
        volumes.append(volume)
        costs.append(cost)
    return Position(row.exchange, row.symbol, row.currency, doubles(row.bars), volumes, costs)


def _decimals(column: str) -> list[Decimal | None]:
    if _NULL in column:
        return [None if text == _NULL else Decimal(text) for text in texts(column)]
    return [*map(Decimal, texts(column))]
