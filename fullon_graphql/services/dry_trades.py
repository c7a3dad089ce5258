"""Simulated trades of bots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fullon_graphql.models import Bot, DryTrade
from fullon_graphql.services import bots
from fullon_graphql.services.orders import SIDES, require_symbol
from fullon_graphql.services.writing.checks import not_negative, one_of, positive, storable
from fullon_graphql.services.writing.executor import UnitOfWork


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Store a simulated trade: `bot_id`, `ex_id`, `symbol`, `side`, `volume`, `price`.

    Optional: `fee`, `roi`, `roi_pct`, `reason` and `closingtrade`. Its cost is `volume * price`, in quote currency.

    Raises:
        NotFound: there is no such bot or account that the caller may see.
        BadUserInput: the exchange has no such symbol, or a value is invalid.
    """
    bot = await write.find(Bot, values["bot_id"], lock=False)
    account = await bots.account_of(write, bot, values["ex_id"])
    trade = storable(DryTrade, dict(values) | {"side": one_of(values["side"], SIDES, "side")})
    positive(trade, "volume", "price")
    not_negative(trade, "fee")
    await require_symbol(write, account.cat_ex_id, trade["symbol"])
    cost = storable(DryTrade, {"cost": trade["volume"] * trade["price"]})
    row = await write.insert(DryTrade, {"fee": 0.0} | trade | cost | {"uid": bot.uid})
    return int(row.trade_id)
