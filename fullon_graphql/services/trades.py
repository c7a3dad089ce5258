"""Live trades: one sees those of one's own account, and notes what an exchange has reported of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from fullon_graphql.errors import Conflict
from fullon_graphql.models import Exchange, Trade
from fullon_graphql.services.orders import SIDES, listed
from fullon_graphql.services.writing.checks import not_blank, one_of, positive, spelled, storable
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Note a trade: `ex_id`, `ex_trade_id`, `ex_order_id`, `symbol`, `order_type`, `side`, `volume`, `price`.

    Besides any other column but `uid`, which is the account's. `cost` is `volume * price` unless given, in quote
    currency; `fee` is 0, and below 0 where the exchange paid. A trade that is stored already, with nothing that
    contradicts the report, stays as it is and is answered.

    Raises:
        NotFound: no such account, or a foreign one.
        BadUserInput: the exchange has no such symbol, or a value cannot be.
        Conflict: a trade with these two ids of the exchange is stored otherwise.
    """
    # The account is locked: of two reports at the same time the second finds what the first has stored.
    account = await write.find(Exchange, values["ex_id"])
    trade = _checked(values) | {"uid": account.uid}
    await listed(write, account.cat_ex_id, trade["symbol"])
    stored = await _stored(write, trade)
    if stored is not None:
        _agrees(stored, trade)
        await write.update(Trade, stored, {})
        return int(stored.trade_id)
    follows = storable(Trade, {"fee": 0.0, "cost": trade["volume"] * trade["price"]})
    return int((await write.insert(Trade, follows | trade)).trade_id)


async def change(write: UnitOfWork, trade_id: int, values: Mapping[str, Any]) -> int:
    """Set what is computed of a trade: `roi`, `roi_pct`, `total_fee`, `cur_volume`, `cur_avg_price` ...

    Raises:
        NotFound: no such trade, or a foreign one.
        BadUserInput: a value cannot be.
    """
    trade = await write.find(Trade, trade_id)
    await write.update(Trade, trade, storable(Trade, values))
    return trade_id


async def remove(write: UnitOfWork, trade_id: int) -> bool:
    """Delete a trade. Its order stays.

    Raises:
        NotFound: no such trade, or a foreign one.
    """
    await write.delete(Trade, await write.find(Trade, trade_id))
    return True


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in values.items() if value is not None}
    trade = storable(Trade, said | {"side": one_of(said["side"], SIDES, "side")})
    not_blank(trade, "ex_trade_id", "ex_order_id", "order_type")
    positive(trade, "volume", "price", "cost", "leverage")
    return trade


async def _stored(write: UnitOfWork, trade: Mapping[str, Any]) -> Row[Any] | None:
    same = select(Trade).where(Trade.ex_trade_id == trade["ex_trade_id"], Trade.ex_order_id == trade["ex_order_id"])
    return (await write.connection.execute(same)).first()


def _agrees(stored: Row[Any], report: Mapping[str, Any]) -> None:
    """Older writers capitalise the side; what the report does not say contradicts nothing."""
    known = dict(stored._mapping) | {"side": stored.side.lower()}  # SQLAlchemy's documented name
    others = [spelled(name) for name, value in report.items() if known[name] != value]
    if others:
        raise Conflict(f"The exchange's trade {stored.ex_trade_id} is stored with other values: {', '.join(others)}.")
