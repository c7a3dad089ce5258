"""Balances, positions, orders and fills in ccxt's form, converted to ours.

ccxt counts derivatives in contracts. Ours are in base currency: a contract is worth `contractSize` of the base currency
or, if it is inverse, of the quote currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.daemons.feeds.account_feed import Fill, OrderReport
from fullon_graphql.daemons.feeds.ccxt_client import finite
from fullon_graphql.models.order_status import CANCELED, FILLED, OPEN, PARTIALLY_FILLED, REJECTED

log = structlog.get_logger(__name__)

_STATUSES: Final = {
    "open": OPEN, "closed": FILLED, "canceled": CANCELED, "canceling": OPEN, "expired": CANCELED, "rejected": REJECTED,
}  # fmt: skip

_NEGLIGIBLE: Final = 1e-9
"""A balance below is none: exchanges list currencies that an account held once."""


def balances(ex_id: int, raw: Mapping[str, Any], known: Sequence[Balance] = ()) -> list[Balance]:
    """All balances, by currency.

    Streams of some exchanges leave out the amounts that orders reserve, and currencies without a change: these are
    taken from the `known` balances.
    """
    found = {balance.currency: balance for balance in known}
    for currency in raw.get("total") or {}:
        values = raw.get(currency) or {}
        total, free, used = (finite(values.get(name)) for name in ("total", "free", "used"))
        if total is None:
            if free is None:
                continue
            total = free + (used or 0.0)
        if used is None:
            before = found[currency].used if currency in found else 0.0
            used = total - free if free is not None else min(before, max(total, 0.0))
        found[currency] = Balance(ex_id, currency, total, total - used if free is None else free, used)
    return [balance for _, balance in sorted(found.items()) if abs(balance.total) > _NEGLIGIBLE]


def position(client: Any, ex_id: int, raw: Mapping[str, Any]) -> Position | None:
    """An open position, or None if it is closed or has no symbol."""
    symbol, contracts = raw.get("symbol"), finite(raw.get("contracts"))
    if not symbol or not contracts:
        return None
    cost = finite(_number((raw.get("info") or {}).get("cost")))  # Kraken has this in place of a price
    price = finite(raw.get("entryPrice")) or (cost / contracts if cost else None) or 0.0
    volume = _in_base(client, symbol, abs(contracts), price)
    signed = -volume if raw.get("side") == "short" else volume
    time = raw.get("timestamp")
    opened = datetime.fromtimestamp(time / 1000, UTC) if time else None
    return Position(ex_id, symbol, signed, cost=volume * price, price=price, timestamp=opened)


def order(client: Any, raw: Mapping[str, Any]) -> OrderReport | None:
    """An order, or None if it has no id or symbol, or a status that ccxt does not know."""
    identifier, symbol = raw.get("id"), raw.get("symbol")
    status = _STATUSES.get(str(raw.get("status")))
    if not identifier or not symbol or status is None:
        log.info("account.order_left_out", order=identifier, symbol=symbol, status=raw.get("status"))
        return None
    average, price = _positive(raw.get("average")), _positive(raw.get("price"))
    unit_price = average or price or 0.0
    volume, filled = (
        None if number is None else _in_base(client, symbol, number, unit_price)
        for number in (finite(raw.get("amount")), finite(raw.get("filled")))
    )
    if status == OPEN and filled:
        status = PARTIALLY_FILLED
    return OrderReport(
        ex_order_id=str(identifier), symbol=symbol, status=status, side=raw.get("side"), order_type=raw.get("type"),
        volume=volume, filled=filled, price=price, average=average,
    )  # fmt: skip


def fill(client: Any, raw: Mapping[str, Any]) -> Fill | None:
    """A trade of an account, or None if it lacks one of its facts."""
    identifier, order_id, symbol, time = (raw.get(name) for name in ("id", "order", "symbol", "timestamp"))
    price, amount, side = _positive(raw.get("price")), _positive(raw.get("amount")), raw.get("side")
    if not (identifier and order_id and symbol and time and price and amount and side in {"buy", "sell"}):
        log.warning("account.fill_left_out", trade=identifier, order=order_id, symbol=symbol)
        return None
    volume = _in_base(client, symbol, amount, price)
    market = client.markets.get(symbol) or {}
    cost = None if market.get("contract") else _positive(raw.get("cost"))
    return Fill(
        ex_trade_id=str(identifier), ex_order_id=str(order_id), symbol=symbol, side=side, volume=volume, price=price,
        cost=cost or volume * price, fee=_fee(market, raw, price), time=time / 1000, order_type=raw.get("type"),
    )  # fmt: skip


def all_of(converted: Iterable[Any]) -> list[Any]:
    """Without those that could not be converted."""
    return [one for one in converted if one is not None]


def _fee(market: Mapping[str, Any], raw: Mapping[str, Any], price: float) -> float | None:
    """The fee in quote currency."""
    fees = raw.get("fees") or [raw.get("fee") or {}]
    total = 0.0
    for one in fees:
        cost, currency = finite(one.get("cost")), one.get("currency")
        if not cost:
            continue
        if currency == market.get("quote") or currency is None:
            total += cost
        elif currency == market.get("base"):
            total += cost * price
        else:
            return None
    return total


def _in_base(client: Any, symbol: str, amount: float, price: float) -> float:
    """An amount in base currency; contracts are converted."""
    market = client.markets.get(symbol) or {}
    if not market.get("contract"):
        return amount
    size = finite(market.get("contractSize")) or 1.0
    if market.get("inverse"):
        return amount * size / price if price else 0.0
    return amount * size


def _positive(value: Any) -> float | None:
    number = finite(value)
    return number if number and number > 0 else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
