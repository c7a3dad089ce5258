"""Orders of bots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, select, update

from fullon_graphql.errors import BadUserInput, Conflict, shortened
from fullon_graphql.models import Bot, CatExchange, Order, Symbol, SymbolStep
from fullon_graphql.models.order_status import CANCELED, NEW, is_open
from fullon_graphql.services import bots, halts
from fullon_graphql.services.access import visible
from fullon_graphql.services.order_status import next_status
from fullon_graphql.services.order_steps import check_steps
from fullon_graphql.services.writing.checks import LARGEST, one_of, positive, storable, unchanged_since
from fullon_graphql.services.writing.executor import UnitOfWork

MOST_CANCELED: Final = 500
"""Orders that one change cancels at most."""

SIDES = ("buy", "sell")

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "market": (),
    "limit": ("price",),
    "stop": ("price",),
    "stop_limit": ("price", "plimit"),
}
"""The order types, and the prices each requires. The `price` of a stop order is its trigger price."""


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Store an order for the platform's daemons to place: `bot_id`, `ex_id`, `symbol`, `side`, `order_type`, `volume`.

    Optional: `price`, `plimit` and `reason`. Owner, exchange and `futures` are derived; the status is `New`.

    Raises:
        NotFound: there is no such bot or account that the caller may see.
        BadUserInput: a value is invalid, a price is missing or not allowed for the order type, or the exchange would
            refuse a price or the volume.
        Conflict: the account is not active.
        TradingHalted: trading of the bot or on the account is halted.
    """
    await halts.lock_out_halts(write)
    bot = await write.find(Bot, values["bot_id"], lock=False)
    account = await bots.account_of(write, bot, values["ex_id"])
    if not account.active:
        raise Conflict("The account is not active; activate it first.")
    await halts.require_no_halt(write, bot.uid, bot.bot_id, account.ex_id)
    order = storable(Order, _normalised(values))
    positive(order, "volume", "price", "plimit")
    _check_prices(order)
    if order["volume"] * max(order.get("price") or 0, order.get("plimit") or 0) > LARGEST:
        raise BadUserInput(f"`volume` times price must be at most {LARGEST:g}.", field="volume")
    instrument = await require_symbol(write, account.cat_ex_id, order["symbol"])
    known = {
        "uid": bot.uid, "cat_ex_id": account.cat_ex_id, "exchange": instrument.exchange,
        "futures": instrument.futures, "status": NEW,
    }  # fmt: skip
    check_steps(order, instrument)
    return int((await write.insert(Order, order | known)).order_id)


async def set_status(write: UnitOfWork, order_id: int, status: str, expected: datetime | None = None) -> int:
    """Change the status of an order; see `order_status`.

    Raises:
        NotFound: there is no such order that the caller may see.
        BadUserInput: `status` is not a status.
        Conflict: the transition is not allowed, or the order's timestamp is not the `expected` one.
    """
    order = await write.find(Order, order_id)
    unchanged_since(expected, order.timestamp)
    await write.update(Order, order, {"status": next_status(order.status, status)})
    return order_id


async def cancel(write: UnitOfWork, order_id: int) -> int:
    """Set the status of an order to `canceled`.

    Raises:
        NotFound: there is no such order that the caller may see.
        Conflict: it is filled or rejected.
    """
    return await set_status(write, order_id, CANCELED)


async def cancel_matching(write: UnitOfWork, condition: ColumnElement[bool]) -> list[int]:
    """Set the status of the oldest `MOST_CANCELED` open orders for which `condition` holds to `canceled`.

    Only orders that the caller may see are changed. Returns their keys.
    """
    wanted = visible(Order, write.principal).where(is_open(), condition).order_by(Order.order_id).limit(MOST_CANCELED)
    found = (await write.connection.execute(wanted.with_for_update())).all()
    keys = [row.order_id for row in found]
    await write.connection.execute(update(Order).where(Order.order_id.in_(keys)).values(status=CANCELED))
    before = {"status": {str(row.order_id): row.status for row in found}}
    write.record("Order", ", ".join(map(str, keys)), before, {"status": dict.fromkeys(before["status"], CANCELED)})
    return keys


async def require_symbol(
    write: UnitOfWork, cat_ex_id: int, symbol: str
) -> Row[bool, str, float | None, float | None, float | None]:
    """The catalogue entry of a symbol on an exchange: `futures`, `exchange`, the exchange's name, steps and minimum.

    Raises:
        BadUserInput: the exchange has no such symbol.
    """
    query: Select[bool, str, float | None, float | None, float | None] = (
        select(
            Symbol.futures,
            CatExchange.name.label("exchange"),
            SymbolStep.price_step,
            SymbolStep.amount_step,
            SymbolStep.min_notional,
        )
        .join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
        .outerjoin(SymbolStep, SymbolStep.symbol_id == Symbol.symbol_id)
        .where(Symbol.cat_ex_id == cat_ex_id, Symbol.symbol == symbol)
    )
    found = (await write.connection.execute(query)).first()
    if found is None:
        raise BadUserInput(f"The exchange of this account has no symbol {shortened(symbol)}.", field="symbol")
    return found


def _normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    """Side and type as the platform spells them."""
    return dict(values) | {
        "side": one_of(values["side"], SIDES, "side"),
        "order_type": one_of(values["order_type"], _NEEDED, "orderType"),
        "reason": values.get("reason") or "",
    }


def _check_prices(order: Mapping[str, Any]) -> None:
    kind = order["order_type"]
    for price in _NEEDED[kind]:
        if order.get(price) is None:
            raise BadUserInput(f"A {kind} order needs `{price}`.", field=price)
    if order.get("plimit") is not None and not kind.startswith("stop"):
        raise BadUserInput(f"A {kind} order has no `plimit`; only stop orders have one.", field="plimit")
