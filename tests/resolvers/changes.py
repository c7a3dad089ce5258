"""One valid call of every mutation that changes rows; the promises of all mutations are tested with each of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fullon_graphql.auth.principal import Principal
from fullon_graphql.engine.lists import opaque_ids
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, TRADER

SESSION = opaque_ids.encode("Session", UUID(int=21))


@dataclass(frozen=True)
class Change:
    """A call on the small platform: its arguments and its selection."""

    arguments: str
    selection: str = ""
    admin: bool = False
    """True if the mutation requires an administrator."""
    in_redis: bool = False
    """True if no table changes."""

    def document(self, name: str, more: str = "") -> str:
        """The operation, with further arguments."""
        arguments = f"({self.arguments} {more})" if self.arguments or more else ""
        return f"mutation {{ {name}{arguments} {self.selection} }}"

    @property
    def caller(self) -> Principal:
        """A caller who may call the mutation."""
        return principal(ADMIN, admin=True) if self.admin else principal(TRADER)


CHANGES = {
    "createBot": Change('input: {name: "grid"}', "{ botId name active dryRun user { uid } exchanges { exId } }"),
    "updateBot": Change('input: {botId: 1, name: "renamed"}', "{ botId name exchanges { exId } }"),
    "deleteBot": Change("botId: 5"),
    "attachExchange": Change("botId: 2, exId: 20", "{ botId exchanges { exId } }"),
    "detachExchange": Change("botId: 1, exId: 20", "{ botId exchanges { exId } }"),
    "createOrder": Change(
        'input: {botId: 1, exId: 20, symbol: "BTC/USD", side: BUY, orderType: "limit", volume: 0.5, price: 60000}',
        "{ orderId status side bot { name } instrument { base } account { name } }",
    ),
    "updateOrderStatus": Change('orderId: 1, status: "filled"', "{ orderId status bot { botId } }"),
    "cancelOrder": Change("orderId: 1", "{ orderId status }"),
    "cancelOrders": Change("filter: {botId: {eq: 1}}", "{ orderId status bot { botId } }"),
    "haltTrading": Change(
        'scope: BOT, botId: 1, reason: "test", cancelOpen: true',
        "{ scope uid botId reason by botIds canceledOrderIds blocked { symbol } endedAt }",
    ),
    "resumeTrading": Change("haltId: 1", "{ haltId botIds endedBy resumedBotIds }"),
    "disarmHaltSwitch": Change(f'switchId: "{UUID(int=7)}"', "{ switchId state }"),
    "createExchange": Change(
        'input: {catExId: 2, name: "second"}', "{ exId name test active catalog { name } user { uid } }"
    ),
    "updateExchange": Change('input: {exId: 20, name: "renamed", active: false}', "{ exId name active timestamp }"),
    "deleteExchange": Change("exId: 22"),
    "createStrategy": Change(
        'input: {botId: 2, catStrId: 1, size: 5, params: [{name: "own", value: "1"}]}',
        "{ strId takeProfit size params { name value } bot { name } catalog { name } }",
    ),
    "updateStrategy": Change(
        "input: {strId: 1, leverage: 2, stopLoss: null}", "{ strId leverage stopLoss feeds { feedId } }"
    ),
    "setStrategyParams": Change('strId: 1, params: [{name: "rsi", value: "21"}]', "{ strId params { name value } }"),
    "deleteStrategy": Change("strId: 1"),
    "createFeed": Change(
        'input: {strId: 1, symbolId: 1, period: "Minutes", compression: 60, order: 1}',
        "{ feedId period compression order symbol { symbol } }",
    ),
    "updateFeed": Change("input: {feedId: 1, compression: 240}", "{ feedId compression order strategy { strId } }"),
    "deleteFeed": Change("feedId: 1"),
    "createDryTrade": Change(
        'input: {botId: 1, exId: 20, symbol: "BTC/USD", side: SELL, volume: 0.5, price: 100}',
        "{ tradeId side cost fee closingtrade bot { name } instrument { base } }",
    ),
    "createTrade": Change(
        'input: {exId: 20, exTradeId: "T1001", exOrderId: "O1", symbol: "BTC/USD", side: SELL, orderType: "limit",'
        ' volume: 0.5, price: 100, time: "2026-01-01T00:00:00Z"}',
        "{ tradeId side cost fee roi time order { orderId } instrument { base } account { name } }",
    ),
    "updateTrade": Change("input: {tradeId: 8, roi: 2, curVolume: 0}", "{ tradeId roi curVolume roiPct side }"),
    "deleteTrade": Change("tradeId: 9"),
    "createApiKey": Change(
        'input: {name: "report", scopes: ["read", "write"]}',
        "{ key apiKey { apiKeyId name scopes isActive user { uid } } }",
    ),
    "deactivateApiKey": Change("apiKeyId: 1", "{ apiKeyId isActive }"),
    "createAlert": Change(
        'input: {name: "high", condition: PRICE_CROSSES, exchange: "kraken", symbol: "BTC/USD", threshold: 60000,'
        " direction: ABOVE, once: true}",
        "{ ruleId name condition direction threshold once active user { uid } bot { name } }",
    ),
    "updateAlert": Change(
        'input: {ruleId: 1, name: "renamed", statuses: ["Canceled"], active: true, botId: null}',
        "{ ruleId name statuses active botId }",
    ),
    "deleteAlert": Change("ruleId: 1"),
    "createWebhook": Change(
        'input: {name: "bus", url: "https://1.1.1.1/hook", streams: [ORDERS, BOTS], kinds: [CREATED], botId: 1}',
        "{ secret webhook { webhookId name streams kinds state user { uid } bot { name } } }",
    ),
    "updateWebhook": Change(
        'input: {webhookId: 1, name: "renamed", streams: [TRADES], botId: null, active: true}',
        "{ webhookId name streams state botId deliveries { totalCount } }",
    ),
    "deleteWebhook": Change("webhookId: 1"),
    "rotateWebhookSecret": Change("webhookId: 1", "{ secret webhook { webhookId } }"),
    "testWebhook": Change("webhookId: 1", "{ deliveryId webhookId eventType outcome }"),
    "endSession": Change(f'id: "{SESSION}"', "{ sessionId active reason current user { uid } }"),
    "endOtherSessions": Change(""),
    "updateProfile": Change('input: {name: "Tom", phone: "123"}', "{ uid name phone }"),
    "changePassword": Change('currentPassword: "old password", newPassword: "new password"'),
    "enrolTotp": Change("", "{ secret uri }", in_redis=True),
    "createUser": Change(
        'input: {mail: "new@fullon", password: "first password", name: "New"}',
        "{ uid mail name role active }",
        admin=True,
    ),
    "updateUser": Change(
        'input: {uid: 3, name: "Olga", role: ADMIN, note: null}', "{ uid name role note }", admin=True
    ),
    "deactivateUser": Change("uid: 3", "{ uid active }", admin=True),
    "activateUser": Change("uid: 4", "{ uid active }", admin=True),
    "deleteUser": Change("uid: 4", admin=True),
    "createSymbol": Change(
        'input: {catExId: 1, symbol: "ETH/USD", base: "ETH", decimals: 4}',
        "{ symbolId symbol decimals exchange { name } }",
        admin=True,
    ),
    "updateSymbol": Change("input: {symbolId: 1, decimals: 2, quote: null}", "{ symbolId decimals quote }", admin=True),
    "deleteSymbol": Change("symbolId: 3", admin=True),
    "createCatExchange": Change('name: "hyperliquid"', "{ catExId name }", admin=True),
    "updateCatExchange": Change('catExId: 2, name: "bitmex2"', "{ catExId name }", admin=True),
    "setCatExchangeParams": Change('catExId: 1, params: [{name: "rate", value: "2"}]', "{ catExId }", admin=True),
    "createCatStrategy": Change(
        'input: {name: "trend", takeProfit: 3, params: [{name: "fast", value: "9"}]}',
        "{ catStrId name takeProfit feedCount params { name value } }",
        admin=True,
    ),
    "updateCatStrategy": Change("input: {catStrId: 1, feedCount: 3}", "{ catStrId feedCount }", admin=True),
    "setCatStrategyParams": Change("catStrId: 1, params: []", "{ catStrId params { name } }", admin=True),
    "deleteCatStrategy": Change("catStrId: 3", admin=True),
}

UNTRIED = {"confirmTotp", "disableTotp", "startService", "stopService", "restartService", "anonymizeUser"}
"""The first two need a current one-time code, the next three a running service, and the last one writes several audit
entries; they have tests of their own."""
