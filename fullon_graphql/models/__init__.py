"""The tables: the platform's, unaltered, and our own."""

from fullon_graphql.models.alerts import AlertCursor, AlertEvent, AlertRule
from fullon_graphql.models.api_keys import ApiKey
from fullon_graphql.models.audit import AuditEntry
from fullon_graphql.models.base import OWN_SCHEMA, Base, UtcDateTime
from fullon_graphql.models.bots import Bot, BotExchange, BotLog, Simulation
from fullon_graphql.models.changes import Change, ChangesFloor
from fullon_graphql.models.exchanges import CatExchange, CatExchangeParam, Exchange, ExchangeHistory
from fullon_graphql.models.halts import HaltScope, HaltSwitch, SwitchState, TradingHalt
from fullon_graphql.models.idempotency import IdempotencyRecord
from fullon_graphql.models.orders import Order
from fullon_graphql.models.sessions import Session
from fullon_graphql.models.strategies import CatStrategy, CatStrategyParam, Feed, Strategy, StrategyParam
from fullon_graphql.models.symbols import Symbol, SymbolStep
from fullon_graphql.models.trades import DryTrade, Trade
from fullon_graphql.models.users import Role, User
from fullon_graphql.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "OWN_SCHEMA",
    "AlertCursor",
    "AlertEvent",
    "AlertRule",
    "ApiKey",
    "AuditEntry",
    "Base",
    "Bot",
    "BotExchange",
    "BotLog",
    "CatExchange",
    "CatExchangeParam",
    "CatStrategy",
    "CatStrategyParam",
    "Change",
    "ChangesFloor",
    "DryTrade",
    "Exchange",
    "ExchangeHistory",
    "Feed",
    "HaltScope",
    "HaltSwitch",
    "IdempotencyRecord",
    "Order",
    "Role",
    "Session",
    "Simulation",
    "Strategy",
    "StrategyParam",
    "SwitchState",
    "Symbol",
    "SymbolStep",
    "Trade",
    "TradingHalt",
    "User",
    "UtcDateTime",
    "Webhook",
    "WebhookDelivery",
]
