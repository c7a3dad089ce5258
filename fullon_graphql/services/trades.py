"""Live trades as exchanges report them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from fullon_graphql.errors import Conflict
from fullon_graphql.models import Exchange, Trade
from fullon_graphql.services.orders import SIDES, require_symbol
from fullon_graphql.services.writing.checks import not_blank, one_of, positive, spelled, storable
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Store a trade: `ex_id`, `ex_trade_id`, `ex_order_id`, `symbol`, `order_type`, `side`, `volume`, `price`.

    Optional: any other column except `uid`, which is the account's. `cost` is `volume * price` by default, in quote
    currency; `fee` is 0 by default, and negative for a rebate. A trade that is stored already without a contradiction
    stays as it is, and its key is returned; the exchange's cost replaces one that was computed.

    Raises:
        NotFound: there is no such account that the caller may see.
        BadUserInput: the exchange has no such symbol, or a value is invalid.
        Conflict: a trade with these two ids of the exchange is stored with different values.
    """
    # The account is locked: the second of two concurrent reports finds the row of the first.
    account = await write.find(Exchange, values["ex_id"])
    trade = _checked(values) | {"uid": account.uid}
    await require_symbol(write, account.cat_ex_id, trade["symbol"])
    stored = await _stored(write, trade)
    if stored is not None:
        exact = _exact(stored, trade)
        _require_same(stored, {name: value for name, value in trade.items() if name not in exact})
        await write.update(Trade, stored, exact)
        return int(stored.trade_id)
    defaults = storable(Trade, {"fee": 0.0, "cost": trade["volume"] * trade["price"]})
    return int((await write.insert(Trade, defaults | trade)).trade_id)


async def change(write: UnitOfWork, trade_id: int, values: Mapping[str, Any]) -> int:
    """Set computed columns of a trade: `roi`, `roi_pct`, `total_fee`, `cur_volume`, `cur_avg_price` ...

    Raises:
        NotFound: there is no such trade that the caller may see.
        BadUserInput: a value is invalid.
    """
    trade = await write.find(Trade, trade_id)
    await write.update(Trade, trade, storable(Trade, values))
    return trade_id


async def remove(write: UnitOfWork, trade_id: int) -> bool:
    """Delete a trade. Its order stays.

    Raises:
        NotFound: there is no such trade that the caller may see.
    """
    await write.delete(Trade, await write.find(Trade, trade_id))
    return True


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value is not None}
    trade = storable(Trade, given | {"side": one_of(given["side"], SIDES, "side")})
    not_blank(trade, "ex_trade_id", "ex_order_id", "order_type")
    positive(trade, "volume", "price", "cost", "leverage")
    return trade


async def _stored(write: UnitOfWork, trade: Mapping[str, Any]) -> Row[Any] | None:
    same = select(Trade).where(Trade.ex_trade_id == trade["ex_trade_id"], Trade.ex_order_id == trade["ex_order_id"])
    return (await write.connection.execute(same)).first()


def _exact(stored: Row[Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """The reported cost, if the stored one is only the product of volume and price."""
    cost = report.get("cost")
    return {} if cost is None or stored.cost != stored.volume * stored.price else {"cost": cost}


def _require_same(stored: Row[Any], report: Mapping[str, Any]) -> None:
    """Require that stored values equal reported ones. Older writers capitalise the side."""
    known = dict(stored._mapping) | {"side": stored.side.lower()}  # SQLAlchemy's documented name
    others = [spelled(name) for name, value in report.items() if known[name] != value]
    if others:
        raise Conflict(
            f"The exchange's trade {stored.ex_trade_id} is stored with different values: {', '.join(others)}."
        )
