"""What bots write."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.cat_exchanges import exchange_of_account
from fullon_graphql.schema.support.changes import RowEvent, changed_row
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef, TickerRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT, TICKER_OF_INSTRUMENT


@entity(models.BotLog)
class BotLog(Node):
    """One line a bot wrote about one of its feeds. Equal lines of one moment are one line."""

    bot_id: int = column("Key of the bot.")
    feed_num: int = column("Number of the feed within the bot's strategy, from 0.")
    ex_id: int = column("Key of the exchange account the bot traded on.")
    exchange: str | None = column(
        "Name of the exchange, e.g. `kraken`; null where the account is gone.", exchange_of_account(models.BotLog)
    )
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.")
    position: float = column("Size of the bot's position, in base currency, below zero for a short one.")
    message: str = column("What the bot wrote, in lower case.")
    timestamp: DateTime = column("When the bot wrote it.")

    bot: BotRef = to_one("The bot.", relation("Bot", "bot_id", models.Bot.bot_id))
    account: ExchangeRef | None = to_one(
        "The exchange account the bot traded on; null where that is gone.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The catalogued instrument; null where the catalogue has none.", INSTRUMENT_OF_ACCOUNT
    )

    ticker: TickerRef | None = batched(
        "The instrument's live ticker; null where none has been seen.", TICKER_OF_INSTRUMENT
    )


@strawberry.type(description="What happened to a line of a log, transaction by transaction.")
class BotLogEvent(RowEvent):
    bot_log: BotLog | None = changed_row(
        BotLog, "The line as it is when the event is sent, which may be later; null once it is gone."
    )
