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
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef, ExchangeRef, SymbolRef, TickerRef, TradeRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import TICKER_OF_INSTRUMENT


class OrderSide(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


described(
    OrderSide,
    "Which way an order goes.",
    {OrderSide.BUY: "Base currency is bought for quote currency.", OrderSide.SELL: "Base currency is sold."},
)

# Exchanges number their orders each for itself, so the number alone may mean somebody else's trades elsewhere.
_TRADES = (models.Trade.ex_order_id, models.Trade.ex_id, models.Trade.uid)


@entity(models.Order)
class Order(Node):
    """What a bot asked of an exchange."""

    order_id: int = column("Key of the order.")
    bot_id: int = column("Key of the bot that placed it.")
    uid: int = column("Key of the person it belongs to.")
    ex_id: int = column("Key of the exchange account it was placed on.")
    cat_ex_id: int = column("Key of the exchange in the catalogue.", filterable=True)
    ex_order_id: str | None = column("The exchange's own id of the order, once it has one.", filterable=True)
    exchange: str = column("Name of the exchange, e.g. `kraken`.", filterable=True)
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.")
    order_type: str = column("`market`, `limit`, `stop` or `stop_limit`, as the platform stored it.", filterable=True)
    side: OrderSide = column("Buying or selling.", upper(models.Order.side), filterable=True)
    volume: float = column("Volume asked for, in base currency.", filterable=True)
    final_volume: float | None = column("Volume filled, in base currency.", filterable=True)
    price: float | None = column(
        "Price in quote currency; null for a market order that is not filled yet.", filterable=True
    )
    plimit: float | None = column("Limit price of a stop order, in quote currency.")
    tick: float | None = column("Market price seen when the order was placed.")
    leverage: float | None = column("Leverage of a derivative position.")
    futures: bool = column("True for a derivative.", filterable=True)
    status: str = column("Free text of the platform: `New`, `open`, `partially_filled`, `filled`, `canceled` ...")
    command: str | None = column("Instruction to the exchange daemon, e.g. how to spread the order.")
    reason: str = column("Why the bot placed it.")
    timestamp: DateTime = column("When the order was placed.", filterable=True)

    bot: BotRef | None = to_one(
        "The bot that placed it; null where that bot is gone.", relation("Bot", "bot_id", models.Bot.bot_id)
    )
    user: UserRef = to_one("The person it belongs to.", relation("User", "uid", models.User.uid))
    account: ExchangeRef | None = to_one(
        "The exchange account it was placed on; null where that is gone.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The catalogued instrument of this order; null where the catalogue has none.",
        relation("Symbol", ("symbol", "cat_ex_id"), (models.Symbol.symbol, models.Symbol.cat_ex_id)),
    )
    trades: list[TradeRef] = to_many(
        "The trades that filled it, by key.", relation("Trade", ("ex_order_id", "ex_id", "uid"), _TRADES)
    )

    ticker: TickerRef | None = batched(
        "The instrument's live ticker; null where none has been seen.", TICKER_OF_INSTRUMENT
    )


@strawberry.input(description="An order to be placed. Owner and exchange follow from the bot and the account.")
class CreateOrderInput:
    bot_id: int = strawberry.field(description="The bot in whose name it is placed.")
    ex_id: int = strawberry.field(description="The account it is placed on; it belongs to the bot's owner.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling; it must be in the catalogue.")
    side: OrderSide = strawberry.field(description="Buying or selling.")
    order_type: str = strawberry.field(description="`market`, `limit`, `stop` or `stop_limit`.")
    volume: float = strawberry.field(description="Volume in base currency, above 0.")
    price: float | None = strawberry.field(
        description="Price in quote currency, above 0: of a limit order the limit, of a stop what sets it off. A"
        " market order needs none.",
        default=None,
    )
    plimit: float | None = strawberry.field(
        description="Limit price of a stop order in quote currency; a `stop_limit` needs it.", default=None
    )
    reason: str | None = strawberry.field(description="Why it is placed; at most 35 characters.", default="")


@strawberry.type(description="What happened to an order, transaction by transaction.")
class OrderEvent(RowEvent):
    order: Order | None = changed_row(
        Order, "The order as it is when the event is sent, which may be later; null once it is gone."
    )
