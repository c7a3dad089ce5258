"""Orders: one sees those of one's own account, whichever bot placed them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from fullon_graphql.errors import BadUserInput, Conflict
from fullon_graphql.models import Bot, CatExchange, Order, Symbol
from fullon_graphql.services import bots
from fullon_graphql.services.order_status import CANCELED, NEW, next_status
from fullon_graphql.services.writing.checks import one_of, positive, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork

SIDES = ("buy", "sell")

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "market": (),
    "limit": ("price",),
    "stop": ("price",),
    "stop_limit": ("price", "plimit"),
}
"""The types of orders, and the prices each must say: of a stop, `price` is what sets it off."""


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Store an order for the platform's daemons to place: `bot_id`, `ex_id`, `symbol`, `side`, `order_type`, `volume`.

    Besides `price`, `plimit` and `reason`. Owner, exchange and whether it is a derivative follow from these; the
    status is `New`.

    Raises:
        NotFound: no such bot or account, or a foreign one.
        BadUserInput: a value cannot be, or the type of order lacks a price or does not know it.
        Conflict: the account is switched off.
    """
    bot = await write.find(Bot, values["bot_id"], lock=False)
    account = await bots.account_of(write, bot, values["ex_id"])
    if not account.active:
        raise Conflict("The account is switched off; activate it first.")
    order = storable(Order, _normalised(values))
    positive(order, "volume", "price", "plimit")
    _prices_fit(order)
    instrument = await listed(write, account.cat_ex_id, order["symbol"])
    known = {
        "uid": bot.uid, "cat_ex_id": account.cat_ex_id, "exchange": instrument.exchange,
        "futures": instrument.futures, "status": NEW,
    }  # fmt: skip
    return int((await write.insert(Order, order | known)).order_id)


async def set_status(write: UnitOfWork, order_id: int, status: str, expected: datetime | None = None) -> int:
    """Move an order on to another status; see `order_status`.

    Raises:
        NotFound: no such order, or a foreign one.
        BadUserInput: there is no such status.
        Conflict: an order in its status cannot become that, or its timestamp is not the `expected` one.
    """
    order = await write.find(Order, order_id)
    unchanged_since(expected, order.timestamp)
    await write.update(Order, order, {"status": next_status(order.status, status)})
    return order_id


async def cancel(write: UnitOfWork, order_id: int) -> int:
    """Mark an order as canceled.

    Raises:
        NotFound: no such order, or a foreign one.
        Conflict: it has been filled or rejected.
    """
    return await set_status(write, order_id, CANCELED)


async def listed(write: UnitOfWork, cat_ex_id: int, symbol: str) -> Row[bool, str]:
    """What the catalogue knows of a symbol on an exchange: `futures`, and `exchange`, the exchange's name.

    Raises:
        BadUserInput: the exchange has no such symbol.
    """
    query: Select[bool, str] = (
        select(Symbol.futures, CatExchange.name.label("exchange"))
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .where(Symbol.cat_ex_id == cat_ex_id, Symbol.symbol == symbol)
    )
    found = (await write.connection.execute(query)).first()
    if found is None:
        raise BadUserInput(f"The exchange of this account has no symbol {symbol!r}.", field="symbol")
    return found


def _normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    """Side and type in the spelling of the platform."""
    return dict(values) | {
        "side": one_of(values["side"], SIDES, "side"),
        "order_type": one_of(values["order_type"], _NEEDED, "orderType"),
        "reason": values.get("reason") or "",
    }


def _prices_fit(order: Mapping[str, Any]) -> None:
    kind = order["order_type"]
    for price in _NEEDED[kind]:
        if order.get(price) is None:
            raise BadUserInput(f"A {kind} order needs `{price}`.", field=price)
    if order.get("plimit") is not None and not kind.startswith("stop"):
        raise BadUserInput(f"A {kind} order has no `plimit`; that is the limit of a stop order.", field="plimit")
