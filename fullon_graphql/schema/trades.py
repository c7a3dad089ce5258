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
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import ExchangeRef, OrderRef, SymbolRef, TickerRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.tickers import INSTRUMENT_OF_ACCOUNT, TICKER_OF_INSTRUMENT

# An order id is unique on its exchange only, so the account and the owner are compared too.
_ORDER = (models.Order.ex_order_id, models.Order.ex_id, models.Order.uid)


@entity(models.Trade)
class Trade(Node):
    """A trade on an exchange. The `cur` fields are the account's position in the instrument after the trade."""

    trade_id: int = column("Key of the trade.")
    ex_trade_id: str = column("The exchange's id of the trade.")
    ex_order_id: str = column("The exchange's id of the order.")
    uid: int = column("`uid` of the owner.")
    ex_id: int = column("Key of the exchange account.")
    exchange: str | None = column(
        "Name of the exchange, e.g. `kraken`; null if the exchange account no longer exists.",
        exchange_of_account(models.Trade),
        filterable=True,
    )
    symbol: str = column("Instrument in the exchange's spelling, e.g. `BTC/USD`.", filterable=True)
    order_type: str = column("Order type as stored: `market`, `limit`, `stop` or `stop_limit`.", filterable=True)
    side: OrderSide = column("Side of the trade.", upper(models.Trade.side), filterable=True)
    volume: float = column("Traded volume in base currency.", filterable=True)
    price: float = column("Price in quote currency.", filterable=True)
    cost: float = column("`price * volume`, in quote currency.")
    fee: float = column("Exchange fee in quote currency.")
    cur_volume: float | None = column("Size of the position in base currency; negative for a short position.")
    cur_avg_price: float | None = column("Average entry price of the position in quote currency.")
    cur_avg_cost: float | None = column("Average cost of the position in quote currency.")
    cur_fee: float | None = column("Fees paid for the position so far, in quote currency.")
    roi: float | None = column(
        "Profit or loss of a closing trade in quote currency; null for an opening trade.", filterable=True
    )
    roi_pct: float | None = column("Profit or loss in percent of the invested amount, leverage included.")
    total_fee: float | None = column("Fees of this trade and of the position that it closed, in quote currency.")
    leverage: float | None = column("Leverage of a derivative position.")
    time: DateTime = column("Time of the trade.", filterable=True)

    order: OrderRef | None = to_one(
        "The order; null if it is not stored.",
        relation("Order", ("ex_order_id", "ex_id", "uid"), _ORDER, first=True),
    )
    user: UserRef | None = to_one("The owner; null if deleted.", relation("User", "uid", models.User.uid))
    account: ExchangeRef | None = to_one(
        "The exchange account; null if it no longer exists.",
        relation("Exchange", "ex_id", models.Exchange.ex_id),
    )
    instrument: SymbolRef | None = to_one(
        "The instrument in the catalogue; null if it is not catalogued.", INSTRUMENT_OF_ACCOUNT
    )

    ticker: TickerRef | None = batched("Live ticker of the instrument; null if there is none.", TICKER_OF_INSTRUMENT)


@strawberry.input(description="A trade reported by an exchange.")
class CreateTradeInput:
    ex_id: int = required("Key of the exchange account; its owner owns the trade.")
    ex_trade_id: str = required("The exchange's id of the trade; unique together with `exOrderId`.")
    ex_order_id: str = required("The exchange's id of the order; it relates the trade to a bot.")
    symbol: str = required("Instrument in the exchange's spelling; it must be in the catalogue.")
    order_type: str = required("`market`, `limit`, `stop` or `stop_limit`, or the exchange's own term.")
    side: OrderSide = required("Side of the trade.")
    volume: float = required("Traded volume in base currency, above 0.")
    price: float = required("Price in quote currency, above 0.")
    cost: float | None = optional("Cost in quote currency, above 0; `price * volume` by default.", None)
    fee: float | None = optional("Exchange fee in quote currency, negative for a rebate; 0 by default.", None)
    cur_volume: float | None = optional("Size of the position after the trade, in base currency.", None)
    cur_avg_price: float | None = optional("Average entry price of that position in quote currency.", None)
    cur_avg_cost: float | None = optional("Average cost of that position in quote currency.", None)
    cur_fee: float | None = optional("Fees paid for that position so far, in quote currency.", None)
    roi: float | None = optional("Profit or loss of a closing trade in quote currency.", None)
    roi_pct: float | None = optional("Profit or loss in percent of the invested amount, leverage included.", None)
    total_fee: float | None = optional(
        "Fees of this trade and of the position that it closed, in quote currency.", None
    )
    leverage: float | None = optional("Leverage of a derivative position, above 0.", None)
    time: DateTime | None = optional("Time of the trade; the current time by default.", None)


@strawberry.input(
    description="Changes of the computed values of a trade. An omitted field keeps its value; null clears it. Values"
    " reported by the exchange cannot be changed."
)
class UpdateTradeInput:
    trade_id: int = required("Key of the trade.")
    cur_volume: float | None = optional("Size of the position after the trade, in base currency.")
    cur_avg_price: float | None = optional("Average entry price of that position in quote currency.")
    cur_avg_cost: float | None = optional("Average cost of that position in quote currency.")
    cur_fee: float | None = optional("Fees paid for that position so far, in quote currency.")
    roi: float | None = optional("Profit or loss of a closing trade in quote currency.")
    roi_pct: float | None = optional("Profit or loss in percent of the invested amount, leverage included.")
    total_fee: float | None = optional("Fees of this trade and of the position that it closed, in quote currency.")


@strawberry.type(description="A committed change of a trade.")
class TradeEvent(RowEvent):
    trade: Trade | None = changed_row(
        Trade, "The trade as stored when the event is sent, which can be newer than the event; null if it is deleted."
    )
