"""Orders."""

from __future__ import annotations

from enum import StrEnum

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_many, to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column, upper
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.changes import RowEvent, changed_row
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef, TickerRef, TradeRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import TICKER_OF_INSTRUMENT


class OrderSide(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


described(
    OrderSide,
    "Side of an order or trade.",
    {
        OrderSide.BUY: "Base currency is bought for quote currency.",
        OrderSide.SELL: "Base currency is sold for quote currency.",
    },
)

# An order id is unique on its exchange only, so the account and the owner are compared too.
_TRADES = (models.Trade.ex_order_id, models.Trade.ex_id, models.Trade.uid)


@entity(models.Order)
class Order(Node):
    """An order that a bot has placed on an exchange."""

    order_id: int = column("Key of the order.")
    bot_id: int = column("Key of the bot that placed the order.")
    uid: int = column("`uid` of the owner.")
    ex_id: int = column("Key of the exchange account.")
    cat_ex_id: int = column("Key of the exchange in the catalogue.", filterable=True)
    ex_order_id: str | None = column(
        "The exchange's id of the order; null until the exchange has assigned one.", filterable=True
    )
    exchange: str = column("Name of the exchange, e.g. `kraken`.", filterable=True)
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.")
    order_type: str = column("Order type as stored: `market`, `limit`, `stop` or `stop_limit`.", filterable=True)
    side: OrderSide = column("Side of the order.", upper(models.Order.side), filterable=True)
    volume: float = column("Ordered volume in base currency.", filterable=True)
    final_volume: float | None = column("Filled volume in base currency.", filterable=True)
    price: float | None = column(
        "Price in quote currency; null for a market order that is not yet filled.", filterable=True
    )
    plimit: float | None = column("Limit price of a stop order in quote currency.")
    tick: float | None = column("Market price at the time the order was placed, in quote currency.")
    leverage: float | None = column("Leverage of a derivative position.")
    futures: bool = column("True for a derivative.", filterable=True)
    status: str = column("Status text as stored: `New`, `open`, `partially_filled`, `filled`, `canceled` ...")
    command: str | None = column("Instruction for the exchange daemon, e.g. how to split the order.")
    reason: str = column("Reason given by the bot.")
    timestamp: DateTime = column("Time at which the order was placed.", filterable=True)

    bot: BotRef | None = to_one("The bot; null if it no longer exists.", relation("Bot", "bot_id", models.Bot.bot_id))
    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    account: ExchangeRef | None = to_one(
        "The exchange account; null if it no longer exists.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The instrument in the catalogue; null if it is not catalogued.",
        relation("Symbol", ("symbol", "cat_ex_id"), (models.Symbol.symbol, models.Symbol.cat_ex_id)),
    )
    trades: list[TradeRef] = to_many(
        "The trades that filled the order, by key.", relation("Trade", ("ex_order_id", "ex_id", "uid"), _TRADES)
    )

    ticker: TickerRef | None = batched("Live ticker of the instrument; null if there is none.", TICKER_OF_INSTRUMENT)


@strawberry.input(description="A new order. Its owner and its exchange are those of the bot and the exchange account.")
class CreateOrderInput:
    bot_id: int = required("Key of the bot that places the order.")
    ex_id: int = required("Key of the exchange account; it must belong to the bot's owner.")
    symbol: str = required("Instrument in the exchange's spelling; it must be in the catalogue.")
    side: OrderSide = required("Side of the order.")
    order_type: str = required("`market`, `limit`, `stop` or `stop_limit`.")
    volume: float = required("Volume in base currency, above 0.")
    price: float | None = optional(
        "Price in quote currency, above 0: the limit of a limit order, the trigger of a stop order. Not needed for a"
        " market order.",
        None,
    )
    plimit: float | None = optional("Limit price of a stop order in quote currency; required for `stop_limit`.", None)
    reason: str | None = optional("Reason for the order, at most 35 characters.", "")


@strawberry.type(description="A committed change of an order.")
class OrderEvent(RowEvent):
    order: Order | None = changed_row(
        Order, "The order as stored when the event is sent, which can be newer than the event; null if it is deleted."
    )
