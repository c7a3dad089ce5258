"""Live trades."""

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
from fullon_graphql.schema.support.references import ExchangeRef, OrderRef, SymbolRef, TickerRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT, TICKER_OF_INSTRUMENT

# Exchanges number their orders each for itself, so the number alone may mean somebody else's order elsewhere.
_ORDER = (models.Order.ex_order_id, models.Order.ex_id, models.Order.uid)


@entity(models.Trade)
class Trade(Node):
    """What an exchange did for an order. The `cur` fields are the account's position in the instrument after it."""

    trade_id: int = column("Key of the trade.")
    ex_trade_id: str = column("The exchange's own id of the trade.")
    ex_order_id: str = column("The exchange's own id of the order.")
    uid: int = column("Key of the person it belongs to.")
    ex_id: int = column("Key of the exchange account it was made on.")
    exchange: str | None = column(
        "Name of the exchange, e.g. `kraken`; null where the account is gone.",
        exchange_of_account(models.Trade),
        filterable=True,
    )
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.", filterable=True)
    order_type: str = column("`market`, `limit`, `stop` or `stop_limit`, as the platform stored it.", filterable=True)
    side: OrderSide = column("Buying or selling.", upper(models.Trade.side), filterable=True)
    volume: float = column("Volume traded, in base currency.", filterable=True)
    price: float = column("Price, in quote currency.", filterable=True)
    cost: float = column("`price * volume`, in quote currency.")
    fee: float = column("What the exchange took for it, in quote currency.")
    cur_volume: float | None = column("Size of the position, in base currency, below zero for a short one.")
    cur_avg_price: float | None = column("Average price the position was entered at, in quote currency.")
    cur_avg_cost: float | None = column("What the position cost on average, in quote currency.")
    cur_fee: float | None = column("Fees paid for the position so far, in quote currency.")
    roi: float | None = column(
        "What a closing trade won or lost, in quote currency; null for one that opens.", filterable=True
    )
    roi_pct: float | None = column("The same in per cent of what was put in, leverage included.")
    total_fee: float | None = column("Fees of this trade and of what it closed, in quote currency.")
    leverage: float | None = column("Leverage of a derivative position.")
    time: DateTime = column("When the exchange made it.", filterable=True)

    order: OrderRef | None = to_one(
        "The order it was made for; null where the platform does not know it.",
        relation("Order", ("ex_order_id", "ex_id", "uid"), _ORDER, first=True),
    )
    user: UserRef | None = to_one(
        "The person it belongs to; null where they are gone.", relation("User", "uid", models.User.uid)
    )
    account: ExchangeRef | None = to_one(
        "The exchange account it was made on; null where that is gone.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The catalogued instrument of this trade; null where the catalogue has none.", INSTRUMENT_OF_ACCOUNT
    )

    ticker: TickerRef | None = batched(
        "The instrument's live ticker; null where none has been seen.", TICKER_OF_INSTRUMENT
    )


@strawberry.input(description="A trade as an exchange has reported it.")
class CreateTradeInput:
    ex_id: int = needed("Key of the exchange account it was made on; the trade is its owner's.")
    ex_trade_id: str = needed("The exchange's own id of the trade; together with `exOrderId` it is unique.")
    ex_order_id: str = needed("The exchange's own id of the order; through it the trade is a bot's.")
    symbol: str = needed("Instrument in the exchange's spelling; it must be in the catalogue.")
    order_type: str = needed("`market`, `limit`, `stop` or `stop_limit`, or the exchange's own word.")
    side: OrderSide = needed("Buying or selling.")
    volume: float = needed("Volume traded in base currency, above 0.")
    price: float = needed("Price in quote currency, above 0.")
    cost: float | None = optional("In quote currency, above 0; `price * volume` unless given.", None)
    fee: float | None = optional(
        "What the exchange took in quote currency, below 0 for a rebate; 0 unless given.", None
    )
    cur_volume: float | None = optional("Size of the position after it, in base currency.", None)
    cur_avg_price: float | None = optional("Average price that position was entered at, in quote currency.", None)
    cur_avg_cost: float | None = optional("What that position cost on average, in quote currency.", None)
    cur_fee: float | None = optional("Fees paid for that position so far, in quote currency.", None)
    roi: float | None = optional("What a closing trade won or lost, in quote currency.", None)
    roi_pct: float | None = optional("The same in per cent of what was put in, leverage included.", None)
    total_fee: float | None = optional("Fees of this trade and of what it closed, in quote currency.", None)
    leverage: float | None = optional("Leverage of a derivative position, above 0.", None)
    time: DateTime | None = optional("When the exchange made it; now unless given.", None)


@strawberry.input(
    description="What is computed of a trade; what is left out stays, and null empties it. What the exchange reported"
    " cannot be changed."
)
class UpdateTradeInput:
    trade_id: int = needed("Key of the trade.")
    cur_volume: float | None = optional("Size of the position after it, in base currency.")
    cur_avg_price: float | None = optional("Average price that position was entered at, in quote currency.")
    cur_avg_cost: float | None = optional("What that position cost on average, in quote currency.")
    cur_fee: float | None = optional("Fees paid for that position so far, in quote currency.")
    roi: float | None = optional("What a closing trade won or lost, in quote currency.")
    roi_pct: float | None = optional("The same in per cent of what was put in, leverage included.")
    total_fee: float | None = optional("Fees of this trade and of what it closed, in quote currency.")


@strawberry.type(description="What happened to a trade, transaction by transaction.")
class TradeEvent(RowEvent):
    trade: Trade | None = changed_row(
        Trade, "The trade as it is when the event is sent, which may be later; null once it is gone."
    )
