"""Types by name, for fields whose target module imports the module of the field. A new entity adds two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from strawberry import lazy

if TYPE_CHECKING:
    from fullon_graphql.schema.alerts import AlertRule
    from fullon_graphql.schema.api_keys import ApiKey
    from fullon_graphql.schema.bot_logs import BotLog
    from fullon_graphql.schema.bots import Bot
    from fullon_graphql.schema.cat_exchanges import CatExchange, CatExchangeParam
    from fullon_graphql.schema.cat_strategies import CatStrategy, CatStrategyParam
    from fullon_graphql.schema.dry_trades import DryTrade
    from fullon_graphql.schema.exchanges import Exchange, ExchangeHistory
    from fullon_graphql.schema.feeds import Feed
    from fullon_graphql.schema.orders import Order
    from fullon_graphql.schema.simulations import Simulation
    from fullon_graphql.schema.strategies import Strategy, StrategyParam
    from fullon_graphql.schema.symbols import Symbol
    from fullon_graphql.schema.tickers import Ticker
    from fullon_graphql.schema.trades import Trade
    from fullon_graphql.schema.users import User
    from fullon_graphql.schema.webhooks import WebhookDelivery

AlertRuleRef = Annotated["AlertRule", lazy("fullon_graphql.schema.alerts")]
ApiKeyRef = Annotated["ApiKey", lazy("fullon_graphql.schema.api_keys")]
BotLogRef = Annotated["BotLog", lazy("fullon_graphql.schema.bot_logs")]
BotRef = Annotated["Bot", lazy("fullon_graphql.schema.bots")]
CatExchangeParamRef = Annotated["CatExchangeParam", lazy("fullon_graphql.schema.cat_exchanges")]
CatExchangeRef = Annotated["CatExchange", lazy("fullon_graphql.schema.cat_exchanges")]
CatStrategyParamRef = Annotated["CatStrategyParam", lazy("fullon_graphql.schema.cat_strategies")]
CatStrategyRef = Annotated["CatStrategy", lazy("fullon_graphql.schema.cat_strategies")]
DryTradeRef = Annotated["DryTrade", lazy("fullon_graphql.schema.dry_trades")]
ExchangeHistoryRef = Annotated["ExchangeHistory", lazy("fullon_graphql.schema.exchanges")]
ExchangeRef = Annotated["Exchange", lazy("fullon_graphql.schema.exchanges")]
FeedRef = Annotated["Feed", lazy("fullon_graphql.schema.feeds")]
OrderRef = Annotated["Order", lazy("fullon_graphql.schema.orders")]
SimulationRef = Annotated["Simulation", lazy("fullon_graphql.schema.simulations")]
StrategyParamRef = Annotated["StrategyParam", lazy("fullon_graphql.schema.strategies")]
StrategyRef = Annotated["Strategy", lazy("fullon_graphql.schema.strategies")]
SymbolRef = Annotated["Symbol", lazy("fullon_graphql.schema.symbols")]
TickerRef = Annotated["Ticker", lazy("fullon_graphql.schema.tickers")]
TradeRef = Annotated["Trade", lazy("fullon_graphql.schema.trades")]
UserRef = Annotated["User", lazy("fullon_graphql.schema.users")]
WebhookDeliveryRef = Annotated["WebhookDelivery", lazy("fullon_graphql.schema.webhooks")]
