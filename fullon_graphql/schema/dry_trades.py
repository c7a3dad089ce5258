"""Simulated trades."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column, upper
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.cat_exchanges import exchange_of_account
from fullon_graphql.schema.orders import OrderSide
from fullon_graphql.schema.support.changes import RowEvent, changed_row
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef, TickerRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT, TICKER_OF_INSTRUMENT


@entity(models.DryTrade)
class DryTrade(Node):
    """A trade that a bot in dry run has simulated."""

    trade_id: int = column("Key of the simulated trade.")
    bot_id: int = column("Key of the bot.", filterable=True)
    uid: int = column("`uid` of the owner.")
    ex_id: int = column("Key of the exchange account of the simulation.")
    exchange: str | None = column(
        "Name of the exchange, e.g. `kraken`; null if the exchange account no longer exists.",
        exchange_of_account(models.DryTrade),
        filterable=True,
    )
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.", filterable=True)
    side: OrderSide = column("Side of the trade.", upper(models.DryTrade.side), filterable=True)
    volume: float = column("Volume in base currency.", filterable=True)
    price: float = column("Price in quote currency.", filterable=True)
    cost: float = column("`price * volume`, in quote currency.")
    fee: float = column("Simulated exchange fee in quote currency.")
    roi: float | None = column(
        "Profit or loss of a closing trade in quote currency; null for an opening trade.", filterable=True
    )
    roi_pct: float | None = column("Profit or loss in percent of the invested amount.")
    reason: str | None = column("Reason given by the bot.")
    closingtrade: bool = column("True if the trade closed a position.", filterable=True)
    timestamp: DateTime = column("Time of the trade.", filterable=True)

    bot: BotRef | None = to_one("The bot; null if it no longer exists.", relation("Bot", "bot_id", models.Bot.bot_id))
    user: UserRef | None = to_one("The owner; null if deleted.", relation("User", "uid", models.User.uid))
    account: ExchangeRef | None = to_one(
        "The exchange account of the simulation; null if it no longer exists.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The instrument in the catalogue; null if it is not catalogued.", INSTRUMENT_OF_ACCOUNT
    )

    ticker: TickerRef | None = batched("Live ticker of the instrument; null if there is none.", TICKER_OF_INSTRUMENT)


@strawberry.input(description="A simulated trade to store. Its cost is computed as `price * volume`.")
class CreateDryTradeInput:
    bot_id: int = required("Key of the bot.")
    ex_id: int = required("Key of the exchange account of the simulation; it must belong to the bot's owner.")
    symbol: str = required("Instrument in the exchange's spelling; it must be in the catalogue.")
    side: OrderSide = required("Side of the trade.")
    volume: float = required("Volume in base currency, above 0.")
    price: float = required("Price in quote currency, above 0.")
    fee: float | None = optional("Simulated exchange fee in quote currency.", 0.0)
    roi: float | None = optional("Profit or loss of a closing trade in quote currency.", None)
    roi_pct: float | None = optional("Profit or loss in percent of the invested amount.", None)
    reason: str | None = optional("Reason given by the bot, at most 35 characters.", None)
    closingtrade: bool | None = optional("True if the trade closes a position.", False)


@strawberry.type(description="A committed change of a simulated trade.")
class DryTradeEvent(RowEvent):
    dry_trade: DryTrade | None = changed_row(
        DryTrade,
        "The trade as stored when the event is sent, which can be newer than the event; null if it is deleted.",
    )
