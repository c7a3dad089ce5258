"""Exchange accounts of users, with their past balances."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection, StreamedConnection
from fullon_graphql.engine.fields.relation import connection, to_many, to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.account_status import STATUS_OF_ACCOUNT, AccountStatus
from fullon_graphql.schema.balances import BALANCES_OF_ACCOUNT, Balance
from fullon_graphql.schema.cat_exchanges import CatExchange, exchange_name
from fullon_graphql.schema.live_orders import LIVE_ORDERS_OF_ACCOUNT, LiveOrder
from fullon_graphql.schema.positions import POSITIONS_OF_ACCOUNT, Position
from fullon_graphql.schema.support.claims import BLOCKS_OF_ACCOUNT, OPENINGS_OF_ACCOUNT, Claim
from fullon_graphql.schema.support.inputs import expected_timestamp, optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import (
    BotRef,
    DryTradeRef,
    ExchangeHistoryRef,
    ExchangeRef,
    OrderRef,
    TradeRef,
    UserRef,
)
from fullon_graphql.schema.support.scalars import DateTime

_ON_ACCOUNT = Join(models.BotExchange, models.BotExchange.bot_id == models.Bot.bot_id)


@entity(models.Exchange)
class Exchange(Node):
    """An account of a user on an exchange. Its credentials are not part of the graph."""

    ex_id: int = column("Key of the exchange account.")
    uid: int = column("`uid` of the owner.")
    cat_ex_id: int = column("Key of the exchange in the catalogue.")
    exchange_name: str = column("Name of the exchange, e.g. `kraken`.", exchange_name(models.Exchange), filterable=True)
    name: str = column("Name chosen by the owner.", filterable=True)
    test: bool = column("True for the exchange's sandbox.", filterable=True)
    active: bool = column("True if the platform monitors the account and trades on it.", filterable=True)
    timestamp: DateTime = column("Time of creation.", filterable=True)

    catalog: CatExchange = to_one(
        "The exchange in the catalogue.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )
    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    bots: list[BotRef] = to_many(
        "The bots that trade on this account, by key.",
        relation("Bot", "ex_id", models.BotExchange.ex_id, _ON_ACCOUNT),
    )
    # The owner is compared too: `uid` is the first column of the index of each of these tables.
    orders: StreamedConnection[OrderRef] = connection(
        "Orders placed on this account, by key.",
        relation("Order", ("uid", "ex_id"), (models.Order.uid, models.Order.ex_id)),
    )
    trades: StreamedConnection[TradeRef] = connection(
        "Live trades on this account, by key.",
        relation("Trade", ("uid", "ex_id"), (models.Trade.uid, models.Trade.ex_id)),
    )
    dry_trades: StreamedConnection[DryTradeRef] = connection(
        "Simulated trades on this account, by key.",
        relation("DryTrade", ("uid", "ex_id"), (models.DryTrade.uid, models.DryTrade.ex_id)),
    )
    history: Connection[ExchangeHistoryRef] = connection(
        "Past balances, oldest first; use `last` for the newest.",
        relation("ExchangeHistory", "ex_id", models.ExchangeHistory.ex_id),
    )

    status: AccountStatus | None = batched(
        "Whether the account service reads the account; null while it does not run, and for an account that is not"
        " active.",
        STATUS_OF_ACCOUNT,
    )
    balances: list[Balance] = batched(
        "Live balances, one per currency; empty until the account daemon has written them.", BALANCES_OF_ACCOUNT
    )
    positions: list[Position] = batched("Live positions, one per instrument.", POSITIONS_OF_ACCOUNT)
    live_orders: list[LiveOrder] = batched(
        "The exchange's latest reports about orders of this account, by the exchange's order id. Reports about finished"
        " orders are kept for some time.",
        LIVE_ORDERS_OF_ACCOUNT,
    )
    blocks: list[Claim] = batched("Instruments that one bot has blocked for others, by symbol.", BLOCKS_OF_ACCOUNT)
    openings: list[Claim] = batched("Instruments in which a bot is opening a position.", OPENINGS_OF_ACCOUNT)


@entity(models.ExchangeHistory)
class ExchangeHistory(Node):
    """A past balance of one currency on an exchange account. Equal entries appear once."""

    ex_id: int = column("Key of the exchange account.")
    user_id: int = column("`uid` of the owner.")
    currency: str = column("The currency, e.g. `USD`.")
    balance: float = column("The balance, in that currency.")
    comment: str | None = column("Comment of the program that stored the entry.")
    timestamp: DateTime = column("Time of the balance.")

    account: ExchangeRef | None = to_one(
        "The exchange account; null if you may not see it.", relation("Exchange", "ex_id", models.Exchange.ex_id)
    )
    user: UserRef = to_one("The owner.", relation("User", "user_id", models.User.uid))


@strawberry.input(description="A new exchange account. Its credentials are not part of the graph.")
class CreateExchangeInput:
    cat_ex_id: int = required("Key of the exchange in the catalogue.")
    name: str = required("At most 50 characters, unique among the owner's accounts on this exchange.")
    test: bool | None = optional("True for the exchange's sandbox.", False)
    active: bool | None = optional("If true, the platform monitors the account and trades on it at once.", True)


@strawberry.input(description="Changes of an exchange account. A field that is omitted or null keeps its value.")
class UpdateExchangeInput:
    ex_id: int = required("Key of the exchange account.")
    name: str | None = optional("New name.")
    test: bool | None = optional("Whether it is the exchange's sandbox.")
    active: bool | None = optional("Whether the platform monitors the account and trades on it.")
    expected_timestamp: DateTime | None = expected_timestamp()
