"""The questions in the schemas that PostGraphile and Strawchemy derive from the tables."""

from __future__ import annotations

from string import Template
from typing import Final

_OWN: Final = "condition: {uid: 2}"  # the owner of the rows; this server takes it from the token
_ORDERS_OF_POSTGRAPHILE: Final = Template(
    f"{{ orders: allOrders(first: $first, {_OWN}) {{ nodes {{ orderId symbol side volume price status timestamp"
    " bot: botByBotId { botId name user: userByUid { uid mail } } } } }"
)
_ORDERS_OF_STRAWCHEMY: Final = Template(
    "{ orders(limit: $first, orderBy: [{orderId: ASC}]) { orderId symbol side volume price status timestamp"
    " bot { botId name user { uid mail } } } }"
)

POSTGRAPHILE: Final[dict[str, str | None]] = {
    "candles": "{ candles: allOhlcvBtcUsdCandles1Ms(last: 500)"
    " { nodes { time: timestamp open high low close volume: vol } } }",
    "columns": None,
    "lengths": None,
    "orders": _ORDERS_OF_POSTGRAPHILE.safe_substitute(first=50),
    "pages": _ORDERS_OF_POSTGRAPHILE.template,
    "bots": f"{{ bots: allBots(first: 20, {_OWN}) {{ nodes {{ botId name orders: ordersByBotId(first: 10)"
    " { nodes { orderId side volume price instrument: symbolBySymbolAndCatExId"
    " { symbolId symbol base decimals ticker { price bid ask } } } } } } }",
    "me": "{ me { uid mail } }",
    "bot": "{ bot: botByBotId(botId: 1) { botId name active dryRun timestamp } }",
    "documents": "query Q$number { bot$number: botByBotId(botId: $bot) { botId name user: userByUid { uid mail } } }",
}
"""Without columns, which its schema does not have."""

STRAWCHEMY: Final[dict[str, str | None]] = {
    "candles": "{ candles(limit: 500, orderBy: [{timestamp: DESC}])"
    " { time: timestamp open high low close volume: vol } }",
    "columns": None,
    "lengths": None,
    "orders": _ORDERS_OF_STRAWCHEMY.safe_substitute(first=50),
    "pages": _ORDERS_OF_STRAWCHEMY.template,
    "bots": "{ bots(limit: 20, orderBy: [{botId: ASC}]) { botId name orders(limit: 10, orderBy: [{orderId: ASC}])"
    " { orderId side volume price instrument { symbolId symbol base decimals ticker { price bid ask } } } } }",
    "me": "{ me { uid mail } }",
    "bot": "{ bot(botId: 1) { botId name active dryRun timestamp } }",
    "documents": "query Q$number { bot$number: bot(botId: $bot) { botId name user { uid mail } } }",
}
