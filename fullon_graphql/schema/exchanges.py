"""People's accounts on exchanges."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many, to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.balances import BALANCES_OF_ACCOUNT, Balance
from fullon_graphql.schema.cat_exchanges import CatExchange, exchange_name
from fullon_graphql.schema.live_orders import LIVE_ORDERS_OF_ACCOUNT, LiveOrder
from fullon_graphql.schema.positions import POSITIONS_OF_ACCOUNT, Position
from fullon_graphql.schema.support.claims import BLOCKS_OF_ACCOUNT, OPENINGS_OF_ACCOUNT, Claim
from fullon_graphql.schema.support.inputs import expected_timestamp, needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import (
    BotRef,
    DryTradeRef,
    ExchangeHistoryRef,
    OrderRef,
    TradeRef,
    UserRef,
)
from fullon_graphql.schema.support.scalars import DateTime

_ON_ACCOUNT = Join(models.BotExchange, models.BotExchange.bot_id == models.Bot.bot_id)


@entity(models.Exchange)
class Exchange(Node):
    """One person's account on one exchange. Its credentials are not part of the graph."""

    ex_id: int = column("Key of the account.")
    uid: int = column("Key of the owner.")
    cat_ex_id: int = column("Key of the exchange in the catalogue.")
    exchange_name: str = column(
        "Name of that exchange, e.g. `kraken`.", exchange_name(models.Exchange), filterable=True
    )
    name: str = column("Name given by the owner.", filterable=True)
    test: bool = column("True for the exchange's sandbox.", filterable=True)
    active: bool = column("True while the platform watches and trades on it.", filterable=True)
    timestamp: DateTime = column("When the account was added.", filterable=True)

    catalog: CatExchange = to_one(
        "The exchange it is an account on.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )
    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    bots: list[BotRef] = to_many(
        "The bots that trade on it, by key.", relation("Bot", "ex_id", models.BotExchange.ex_id, _ON_ACCOUNT)
    )
    # By the owner as well, who comes first in the index of each of these tables.
    orders: Connection[OrderRef] = connection(
        "Orders placed on it, by key.", relation("Order", ("uid", "ex_id"), (models.Order.uid, models.Order.ex_id))
    )
    trades: Connection[TradeRef] = connection(
        "Live trades made on it, by key.", relation("Trade", ("uid", "ex_id"), (models.Trade.uid, models.Trade.ex_id))
    )
    dry_trades: Connection[DryTradeRef] = connection(
        "Simulated trades on it, by key.",
        relation("DryTrade", ("uid", "ex_id"), (models.DryTrade.uid, models.DryTrade.ex_id)),
    )
    history: Connection[ExchangeHistoryRef] = connection(
        "What it has held, oldest first; give `last` for the newest.",
        relation("ExchangeHistory", "ex_id", models.ExchangeHistory.ex_id),
    )

    balances: list[Balance] = batched(
        "Live balances, one per currency; empty where the account daemon has written none.", BALANCES_OF_ACCOUNT
    )
    positions: list[Position] = batched(
        "Live positions, one per instrument; empty where there are none.", POSITIONS_OF_ACCOUNT
    )
    live_orders: list[LiveOrder] = batched(
        "What the exchange last said about its orders, by the exchange's id of them; finished ones stay for a while.",
        LIVE_ORDERS_OF_ACCOUNT,
    )
    blocks: list[Claim] = batched("Instruments that one bot keeps others away from, by symbol.", BLOCKS_OF_ACCOUNT)
    openings: list[Claim] = batched("Instruments in which a position is just being opened.", OPENINGS_OF_ACCOUNT)


@strawberry.input(description="A new account on an exchange. Its credentials are no part of the graph.")
class CreateExchangeInput:
    cat_ex_id: int = needed("Key of the exchange in the catalogue.")
    name: str = needed("At most 50 characters, unique among the owner's accounts on this exchange.")
    test: bool | None = optional("True for the exchange's sandbox.", False)
    active: bool | None = optional("True to let the platform watch and trade on it at once.", True)


@strawberry.input(description="What is to change of an account. What is left out, or null, stays as it is.")
class UpdateExchangeInput:
    ex_id: int = needed("Key of the account.")
    name: str | None = optional("Its new name.")
    test: bool | None = optional("Whether it is the exchange's sandbox.")
    active: bool | None = optional("Whether the platform watches and trades on it.")
    expected_timestamp: DateTime | None = expected_timestamp()
