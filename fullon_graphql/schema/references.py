"""Types by name, for fields that lead to a type whose file leads back here. A new entity adds one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from strawberry import lazy

if TYPE_CHECKING:
    from fullon_graphql.schema.bots import Bot
    from fullon_graphql.schema.cat_exchanges import CatExchange
    from fullon_graphql.schema.exchanges import Exchange
    from fullon_graphql.schema.orders import Order
    from fullon_graphql.schema.symbols import Symbol
    from fullon_graphql.schema.tickers import Ticker
    from fullon_graphql.schema.users import User

BotRef = Annotated["Bot", lazy("fullon_graphql.schema.bots")]
CatExchangeRef = Annotated["CatExchange", lazy("fullon_graphql.schema.cat_exchanges")]
ExchangeRef = Annotated["Exchange", lazy("fullon_graphql.schema.exchanges")]
OrderRef = Annotated["Order", lazy("fullon_graphql.schema.orders")]
SymbolRef = Annotated["Symbol", lazy("fullon_graphql.schema.symbols")]
TickerRef = Annotated["Ticker", lazy("fullon_graphql.schema.tickers")]
UserRef = Annotated["User", lazy("fullon_graphql.schema.users")]
