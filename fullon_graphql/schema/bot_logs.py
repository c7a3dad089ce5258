"""Log lines of bots."""

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
    """A line that a bot has written about one of its feeds. Equal lines with the same time appear once."""

    bot_id: int = column("Key of the bot.")
    feed_num: int = column("Number of the feed within the bot's strategy, from 0.")
    ex_id: int = column("Key of the exchange account the bot traded on.")
    exchange: str | None = column(
        "Name of the exchange, e.g. `kraken`; null if the exchange account no longer exists.",
        exchange_of_account(models.BotLog),
    )
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.")
    position: float = column("Size of the bot's position in base currency; negative for a short position.")
    message: str = column("Text of the line, in lower case.")
    timestamp: DateTime = column("Time at which the line was written.")

    bot: BotRef = to_one("The bot.", relation("Bot", "bot_id", models.Bot.bot_id))
    account: ExchangeRef | None = to_one(
        "The exchange account the bot traded on; null if it no longer exists.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The instrument in the catalogue; null if it is not catalogued.", INSTRUMENT_OF_ACCOUNT
    )

    ticker: TickerRef | None = batched("Live ticker of the instrument; null if there is none.", TICKER_OF_INSTRUMENT)


@strawberry.type(description="A committed change of a log line.")
class BotLogEvent(RowEvent):
    bot_log: BotLog | None = changed_row(
        BotLog, "The line as stored when the event is sent, which can be newer than the event; null if it is deleted."
    )
