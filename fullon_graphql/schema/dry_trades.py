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
from fullon_graphql.schema.support.inputs import needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef, TickerRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT, TICKER_OF_INSTRUMENT


@entity(models.DryTrade)
class DryTrade(Node):
    """A trade that a bot only simulated."""

    trade_id: int = column("Key of the simulated trade.")
    bot_id: int = column("Key of the bot that made it.", filterable=True)
    uid: int = column("Key of the person it belongs to.")
    ex_id: int = column("Key of the exchange account it would have been made on.")
    exchange: str | None = column(
        "Name of the exchange, e.g. `kraken`; null where the account is gone.",
        exchange_of_account(models.DryTrade),
        filterable=True,
    )
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.", filterable=True)
    side: OrderSide = column("Buying or selling.", upper(models.DryTrade.side), filterable=True)
    volume: float = column("Volume, in base currency.", filterable=True)
    price: float = column("Price, in quote currency.", filterable=True)
    cost: float = column("`price * volume`, in quote currency.")
    fee: float = column("What the exchange would have taken for it, in quote currency.")
    roi: float | None = column(
        "What a closing trade won or lost, in quote currency; null for one that opens.", filterable=True
    )
    roi_pct: float | None = column("The same in per cent of what was put in.")
    reason: str | None = column("Why the bot made it.")
    closingtrade: bool = column("True where it closed a position.", filterable=True)
    timestamp: DateTime = column("When the bot made it.", filterable=True)

    bot: BotRef | None = to_one(
        "The bot that made it; null where that bot is gone.", relation("Bot", "bot_id", models.Bot.bot_id)
    )
    user: UserRef | None = to_one(
        "The person it belongs to; null where they are gone.", relation("User", "uid", models.User.uid)
    )
    account: ExchangeRef | None = to_one(
        "The exchange account it would have been made on; null where that is gone.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The catalogued instrument of this trade; null where the catalogue has none.", INSTRUMENT_OF_ACCOUNT
    )

    ticker: TickerRef | None = batched(
        "The instrument's live ticker; null where none has been seen.", TICKER_OF_INSTRUMENT
    )


@strawberry.input(description="A simulated trade to be noted. Its cost follows from volume and price.")
class CreateDryTradeInput:
    bot_id: int = needed("Key of the bot that made it.")
    ex_id: int = needed("Key of the account it would have been made on; it belongs to the bot's owner.")
    symbol: str = needed("Instrument in the exchange's spelling; it must be in the catalogue.")
    side: OrderSide = needed("Buying or selling.")
    volume: float = needed("Volume in base currency, above 0.")
    price: float = needed("Price in quote currency, above 0.")
    fee: float | None = optional("What the exchange would have taken for it, in quote currency.", 0.0)
    roi: float | None = optional("What a closing trade won or lost, in quote currency.", None)
    roi_pct: float | None = optional("The same in per cent of what was put in.", None)
    reason: str | None = optional("Why the bot made it; at most 35 characters.", None)
    closingtrade: bool | None = optional("True where it closed a position.", False)


@strawberry.type(description="What happened to a simulated trade, transaction by transaction.")
class DryTradeEvent(RowEvent):
    dry_trade: DryTrade | None = changed_row(
        DryTrade, "The trade as it is when the event is sent, which may be later; null once it is gone."
    )
