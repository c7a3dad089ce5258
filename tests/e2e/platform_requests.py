"""The requests that the platform's documents show, in an order in which they can be sent to the demo as its trader.

Each has a check of the meaning of its answer: the keys, owners and names in it, not the status alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fullon_graphql.embedded.demo.catalogue import PASSWORD

Meaning = Callable[[Any], object]

TRADER_UID, ADMIN_UID = 2, 1
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
PERIOD: dict[str, Any] = {
    "start_time": (datetime.now(UTC) - timedelta(hours=3)).isoformat(),
    "end_time": datetime.now(UTC).isoformat(),
}


@dataclass(frozen=True)
class Request:
    """One request. Paths that do not begin with `/` are under `/api/v1/`; `{name}` is a value kept before.

    `keep` names a value, and the key of it in the answer. `status` is the documented one.
    """

    method: str
    path: str
    means: Meaning
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    data: Any = None
    status: int = 200
    admin: bool = False
    keep: tuple[str, str] | None = None


def has(**values: Any) -> Meaning:
    """An object with these values."""
    return lambda body: {name: body[name] for name in values} == values


def keys(*names: str) -> Meaning:
    """An object with these keys."""
    return lambda body: set(names) <= body.keys()


def rows(key: str, **values: Any) -> Meaning:
    """A list that is not empty, of rows with this key and these values."""
    return lambda body: body and all(key in row and has(**values)(row) for row in body)


def rows_if_any(*names: str) -> Meaning:
    """A list, of rows with these keys."""
    return lambda body: isinstance(body, list) and all(set(names) <= row.keys() for row in body)


def under(name: str, **values: Any) -> Meaning:
    """The envelope with a list under this name that is not empty, and these values."""
    return lambda body: body["success"] is True and body["count"] == len(body[name]) > 0 and has(**values)(body)


def get(path: str, means: Meaning, *, admin: bool = False, **params: Any) -> Request:
    """A request that reads."""
    return Request("GET", path, means, params, admin=admin)


def healthy_part(body: Any) -> bool:
    """The state of one of the platform's servers."""
    return bool(body["status"] == "healthy" and body["latency_ms"] > 0)


KRAKEN_BTC = has(exchange="kraken", symbol="BTC/USD")
DONE = has(success=True)
FAILURE = keys("detail", "error")
STATUSES = {"running", "stopped"}

SIGNING_IN = [
    Request("POST", "auth/login", has(token_type="bearer"), data={"username": "trader@fullon", "password": PASSWORD}),
    Request("POST", "auth/login", has(detail="Invalid credentials"),
            data={"username": "trader@fullon", "password": "wrong"}, status=401),
    Request("POST", "auth/login", FAILURE, json={"username": "trader@fullon", "password": PASSWORD}, status=422),
    get("auth/verify", has(user_id=TRADER_UID, username="trader@fullon", email="trader@fullon", is_active=True)),
]  # fmt: skip

USERS = [
    get("orm/users/me", lambda me: me["uid"] == TRADER_UID and not {"password", "f2a"} & me.keys()),
    get("/api/users/me", has(uid=TRADER_UID, mail="trader@fullon")),
    get("orm/users", rows("mail", uid=TRADER_UID)),
    get("orm/users", lambda users: [user["uid"] for user in users[:3]] == [1, 2, 3], admin=True),
    get(f"orm/users/{TRADER_UID}", has(name="Tomas")),
    Request("POST", "orm/users/", has(mail="new@fullon", role="USER"), admin=True, status=201, keep=("user", "uid"),
            json={"mail": "new@fullon", "password": "a long password", "name": "N", "lastname": "L"}),
    Request("PUT", "orm/users/{user}", has(name="Renamed", lastname="L"), json={"name": "Renamed"}, admin=True),
    Request("DELETE", "orm/users/{user}", DONE, admin=True),
    get(f"users/{TRADER_UID}/positions", rows_if_any("ex_id", "exchange", "symbol", "volume")),
    get(f"/api/users/{TRADER_UID}/positions", rows_if_any("ex_id", "exchange", "symbol", "volume")),
    get(f"orm/users/{TRADER_UID}/positions", rows_if_any("ex_id", "exchange", "symbol", "volume")),
    get("orm/positions", rows_if_any("ex_id", "exchange", "symbol", "volume")),
    get("db/positions", rows_if_any("ex_id", "exchange", "symbol", "volume")),
    Request("POST", "orm/api_keys/me", lambda key: len(key["key"]) > 20 and key["uid"] == TRADER_UID,
            json={"name": "laptop", "description": "tests", "scopes": "read,write", "expires_at": TOMORROW},
            keep=("api_key", "api_key_id")),
    get("orm/api_keys/me", rows("is_active", uid=TRADER_UID)),
    Request("PATCH", "orm/api_keys/{api_key}/deactivate", has(is_active=False)),
]  # fmt: skip

BOTS = [
    Request("POST", "orm/bots/", has(name="table", active=False, dry_run=True, uid=TRADER_UID), status=201,
            json={"name": "table", "active": False, "dry_run": True, "uid": TRADER_UID}, keep=("bot", "bot_id")),
    Request("PATCH", "orm/bots/{bot}", has(name="patched", dry_run=True), json={"name": "patched"}),
    Request("PUT", "orm/bots/{bot}", has(name="put", dry_run=True), json={"name": "put"}),
    get("orm/bots", rows("bot_id", uid=TRADER_UID)),
    get("/api/orm/bots/", rows("bot_id", uid=TRADER_UID)),
    get("orm/bots/by-user", rows("bot_id", uid=TRADER_UID), user_id=TRADER_UID),
    get("orm/bots/1", has(bot_id=1, name="bitcoin hayden")),
    get("orm/bots/1/details", lambda bot: bot["bot_id"] == 1 and bot["exchanges"][0]["ex_id"] == 4),
    get("orm/bots/1/feeds", rows("feed_id")),
    get("orm/bots/1/strategies", rows("str_id", bot_id=1)),
    get("orm/bots/1/exchanges", rows("ex_id", uid=TRADER_UID)),
    get("orm/bots/1/stats", lambda bot: bot["bot_id"] == 1 and bot["orders"]),
    get("orm/bots/1/actions", rows_if_any("bot_id", "message", "timestamp")),
    get("orm/bots/1/last-log", lambda line: line is None or line["bot_id"] == 1),
]  # fmt: skip

EXCHANGES = [
    get("orm/exchanges/catalog", rows("name")),
    get("orm/exchanges/catalog/1/params", rows_if_any("cat_ex_id", "name", "value")),
    get("orm/exchanges/catalog/1/symbols", rows("symbol", cat_ex_id=1)),
    get("orm/exchanges", rows("ex_id", uid=TRADER_UID)),
    get("orm/exchanges/user-exchanges", rows("ex_id", uid=TRADER_UID)),
    get("orm/exchanges/user-exchanges/4", has(ex_id=4, name="kraken main")),
    get("orm/exchanges/id-by-name", has(exchange_id=4), name="kraken main"),
    get("orm/exchanges/catalog-id", has(cat_ex_id=1), exchange_name="kraken"),
    Request("POST", "orm/exchanges/user-exchanges", has(name="table", test=True, uid=TRADER_UID), status=201,
            json={"cat_ex_id": 1, "name": "table", "api_key": "k", "api_secret": "s", "is_testnet": True},
            keep=("account", "ex_id")),
    Request("PATCH", "orm/exchanges/user-exchanges/{account}", has(name="again", test=False),
            json={"name": "again", "is_testnet": False}),
    Request("DELETE", "orm/exchanges/user-exchanges/{account}", DONE),
]  # fmt: skip

STRATEGIES = [
    get("orm/strategies/catalog", rows("cat_str_id")),
    get("orm/strategies/catalog/1", has(cat_str_id=1, name="rsi_hayden_long")),
    get("orm/strategies/catalog/1/params", rows("value", cat_str_id=1)),
    get("orm/strategies/bot-strategies", rows("str_id", bot_id=1), bot_id=1),
    get("orm/strategies/user-strategies", rows("str_id")),
    get("orm/strategies", rows("str_id")),
    Request("POST", "orm/strategies/bot-strategies", lambda made: made["parameters"]["fast"] == "5", status=201,
            json={"bot_id": "{bot}", "cat_str_id": 3, "name": "x", "parameters": {"fast": 5}, "active": True},
            keep=("strategy", "str_id")),
    get("orm/strategies/bot-strategies/{strategy}", has(cat_str_id=3, name="trend_follower")),
    Request("PUT", "orm/strategies/bot-strategies/{strategy}", has(take_profit=2.0), json={"take_profit": 2.0}),
    Request("DELETE", "orm/strategies/bot-strategies/{strategy}", DONE),
]  # fmt: skip

ORDER = {"bot_id": 1, "cat_ex_id": 1, "symbol": "BTC/USD", "side": "buy", "volume": 0.01, "order_type": "limit",
         "price": 1.0, "status": "New"}  # fmt: skip

ORDERS = [
    Request("POST", "orm/orders/", has(uid=TRADER_UID, symbol="BTC/USD", volume=0.01, status="New"), json=ORDER,
            status=201, keep=("order", "order_id")),
    get("orm/orders/{order}", has(symbol="BTC/USD", price=1.0)),
    Request("PATCH", "orm/orders/{order}/status", has(status="open"), json={"status": "open"}),
    Request("PUT", "orm/orders/{order}", has(status="canceled"), json={"status": "canceled"}),
    Request("DELETE", "orm/orders/{other}", has(status="canceled"), keep=None),
    get("orm/orders", rows("order_id", uid=TRADER_UID)),
    get("/api/orders", rows("order_id", uid=TRADER_UID)),
    get("orm/orders/by-bot", rows("order_id", bot_id=1), bot_id=1),
    get("orm/orders/open", lambda found: all(row["status"].lower() not in {"filled", "canceled"} for row in found)),
    get("orm/orders/history", rows("order_id", bot_id=1), bot_id=1),
    get("orm/orders/stats", keys("total_orders", "open_orders")),
    get("orm/orders/by-symbol", rows("order_id", symbol="BTC/USD"), symbol="BTC/USD"),
]  # fmt: skip
ORDERS.insert(4, Request("POST", "orm/orders", has(uid=TRADER_UID), json=ORDER, status=201, keep=("other", "order_id")))

DRY = {"bot_id": 1, "symbol": "BTC/USD", "side": "buy", "volume": 0.5, "price": 100.0, "order_type": "market"}
LIVE = {**DRY, "ex_trade_id": "table-1", "ex_order_id": "table-1"}

TRADES = [
    Request("POST", "orm/trades/dry", has(bot_id=1, cost=50.0), json=DRY, status=201, keep=("dry", "trade_id")),
    Request("POST", "orm/trades/bot", has(bot_id=1, cost=50.0), json=DRY, status=201),
    Request("POST", "orm/trades/live", has(ex_trade_id="table-1", cost=50.0), json=LIVE, status=201,
            keep=("trade", "trade_id")),
    get("orm/trades/{trade}", has(ex_trade_id="table-1", uid=TRADER_UID)),
    get("/api/trades/{trade}", has(ex_trade_id="table-1")),
    get("orm/trades/{dry}", has(bot_id=1, cost=50.0), trade_type="dry"),
    get("cache/trades/{trade}/status", has(ex_trade_id="table-1", status="stored", exchange="kraken")),
    Request("PATCH", "orm/trades/{trade}", has(roi=1.5), json={"roi": 1.5, "status": "closed"}),
    Request("DELETE", "orm/trades/{trade}", DONE),
    get("orm/trades", rows("closingtrade", uid=TRADER_UID)),
    get("/api/orm/trades", rows("closingtrade", uid=TRADER_UID)),
    get("orm/trades/bot", rows("closingtrade", bot_id=1), bot_id=1),
    get("orm/trades/by-bot", rows("ex_trade_id", uid=TRADER_UID), bot_id=1, trade_type="live"),
    get("orm/trades/by-symbol", rows("closingtrade", symbol="BTC/USD"), symbol="BTC/USD"),
    get("orm/trades/history", rows("closingtrade", symbol="BTC/USD", side="buy"), symbol="BTC/USD", side="buy"),
    get("orm/trades/live", rows("ex_trade_id", uid=TRADER_UID)),
    get("orm/trades/stats", keys("total_trades", "win_rate")),
    get("/api/trades/stats", keys("total_trades", "win_rate")),
    get("orm/trades/stats/overall", keys("total_trades", "win_rate")),
    get("orm/trades/summary", keys("total_trades", "win_rate")),
    get("orm/trades/performance", keys("profit_factor", "sharpe_ratio")),
    get("orm/trades/symbol-performance", rows("symbol")),
]  # fmt: skip

SYMBOLS_AND_VIEWS = [
    get("orm/symbols", rows("symbol_id")),
    get("orm/symbols/1", has(symbol="BTC/USD", cat_ex_id=1)),
    get("orm/symbols/by-exchange", rows("symbol_id", cat_ex_id=1), cat_ex_id=1),
    get("orm/symbols/search", lambda found: found and all("BTC" in row["symbol"] for row in found), q="btc"),
    get("orm/symbols/decimals", has(price_decimals=2, quantity_decimals=2), symbol="BTC/USD"),
    Request("POST", "orm/symbols", has(symbol="NEW/USD", base="NEW", decimals=3), admin=True, status=201,
            json={"symbol": "NEW/USD", "cat_ex_id": 1, "base_asset": "NEW", "quote_asset": "USD", "price_decimals": 3,
                  "quantity_decimals": 3, "active": True}, keep=("symbol", "symbol_id")),
    Request("PATCH", "orm/symbols/{symbol}", has(decimals=4), json={"price_decimals": 4}, admin=True),
    Request("DELETE", "orm/symbols/{symbol}", DONE, admin=True),
    get(f"orm/views/bot-dashboard/{TRADER_UID}", keys("total_bots", "active_bots", "total_trades")),
    get("orm/views/trading-overview", keys("total_volume", "active_pairs", "success_rate")),
    get("orm/views/performance-metrics", keys("win_rate", "profit_factor", "sharpe_ratio")),
    get("orm/views/user-summary", keys("account_balance", "total_value", "daily_pnl")),
    get("orm/views/portfolio-stats", keys("total_assets", "asset_allocation", "diversification_score")),
    get("orm/views/risk-metrics", keys("value_at_risk", "max_drawdown", "risk_score")),
]  # fmt: skip

HOURS = under("candles", exchange="kraken", symbol="BTC/USD", timeframe="1h")
ONLY = under("candles", exchange="binance", symbol="BTC/USDT", timeframe="1m")

MARKET_DATA = [
    get("ohlcv/candles/kraken/BTC%2FUSD/1h", HOURS, limit=10),
    get("ohlcv/candles/kraken/BTC/USD/1h", HOURS),
    get("ohlcv/candles/kraken/BTC/USD", HOURS, timeframe="1h", limit=100),
    get("ohlcv/candles/kraken/BTC/USD", under("candles", symbol="BTC/USD", timeframe="1m")),
    get("ohlcv/api/candles/kraken/BTC/USD/1h", HOURS),
    get("market/candles/kraken/BTC/USD/1h", HOURS),
    get("ohlcv/candles/bitmex/BTC/USD:BTC/1d", under("candles", exchange="bitmex", symbol="BTC/USD:BTC")),
    get("ohlcv/candles/kraken/BTC/USD/1m/range", under("candles", symbol="BTC/USD", timeframe="1m"), **PERIOD),
    get("ohlcv/ohlcv", HOURS, exchange="kraken", symbol="BTC/USD", timeframe="1h"),
    get("/api/market/ohlcv/BTC-USDT", ONLY),
    get("market/ohlcv/BTC-USDT", ONLY),
    get("ohlcv/ohlcv/BTC/USDT", ONLY),
    get("ohlcv/timeseries/kraken/BTC/USD/ohlcv", under("ohlcv", symbol="BTC/USD", timeframe="1m"), **PERIOD),
    get("ohlcv/api/timeseries/kraken/BTC/USD/ohlcv", under("ohlcv", symbol="BTC/USD"), **PERIOD),
    get("ohlcv/trades/kraken/BTC/USD", has(success=True, exchange="kraken", symbol="BTC/USD")),
    get("ohlcv/api/trades/kraken/BTC/USD", has(success=True, exchange="kraken", symbol="BTC/USD")),
    get("ohlcv/trades/kraken/BTC/USD/range", has(success=True, symbol="BTC/USD"), **PERIOD),
    get("ohlcv/exchanges", under("exchanges", exchanges=["binance", "bitmex", "kraken"])),
    get("/api/market/exchanges", under("exchanges", exchanges=["binance", "bitmex", "kraken"])),
    get("ohlcv/api/exchanges/kraken/info", has(exchange="kraken", cat_ex_id=1)),
    get("ohlcv/pairs", lambda body: "BTC/USD" in body["pairs"]["kraken"] and "BTC/USDT" in body["pairs"]["binance"]),
    get("ohlcv/exchanges/kraken/info", has(exchange="kraken", symbols=3)),
    get("ohlcv/exchanges/kraken/status", has(exchange="kraken", status="active")),
    get("ohlcv/exchanges/kraken/validate", has(exchange="kraken", valid=True)),
    get("ohlcv/exchanges/kraken/symbols", under("symbols", exchange="kraken")),
    get("ohlcv/exchanges/kraken/symbols/BTC/USD/info", has(symbol_id=1)),
    get("ohlcv/exchanges/kraken/symbols/BTC/USD/metadata", lambda body: KRAKEN_BTC(body) and body["sources"]),
    get("ohlcv/symbols/search", lambda body: all("ETH" in row["symbol"] for row in body["symbols"]), q="eth"),
    Request("GET", "ohlcv/candles/kraken/BTC/USD/7m", FAILURE, status=422),
    Request("GET", "ohlcv/trades/kraken/NONE", FAILURE, status=404),
]  # fmt: skip

ACTIVE = has(exchange="kraken", count=3)
TICKER = has(exchange="binance", symbol="BTC/USDT", cache_hit=True)
NO_BLOCK = has(exchange="binance", symbol="BTC/USDT")
QUEUE = keys("queue_name", "size", "processing_rate", "health_status", "last_processed", "queues")

CACHE = [
    get("cache/tickers/kraken", ACTIVE),
    get("/api/tickers/kraken", ACTIVE),
    get("cache/tickers/kraken/active", ACTIVE),
    get("cache/kraken/tickers/active", ACTIVE),
    get("cache/tickers/binance/BTC-USDT", TICKER),
    get("cache/tickers/binance/BTC/USDT", TICKER),
    get("cache/tickers/health", lambda body: body["kraken"]["tickers"] == 3),
    get(f"cache/accounts/{TRADER_UID}/positions", rows_if_any("ex_id", "exchange", "symbol")),
    get(f"cache/accounts/{TRADER_UID}/balances", rows_if_any("ex_id", "currency", "total")),
    get(f"cache/accounts/{TRADER_UID}/status", rows("ex_id")),
    get("cache/accounts/summary", lambda body: [row["ex_id"] for row in body] == [4, 5, 6, 7, 8]),
    get("cache/orders/queue/size", has(queue_name="new_orders")),
    get("cache/orders/queue/status", QUEUE),
    get("/api/cache/orders/queue/status", has(queue_name="new_orders")),
    get("cache/orders/{other}/queue", lambda body: body["queue_name"].startswith("new_orders:")),
    Request("GET", "cache/orders/999999/status", FAILURE, status=404),
    get(f"cache/orders/{TRADER_UID}/orders", rows_if_any("key", "ex_id", "status")),
    get("cache/bots/1/status", rows_if_any("bot_id", "feed_num", "status")),
    get("cache/bots/binance/BTC-USDT/blocked", NO_BLOCK),
    get("cache/bots/binance/BTC/USDT/blocked", NO_BLOCK),
    get(f"cache/bots/{TRADER_UID}/bots", rows_if_any("bot_id", "feed_num", "status")),
    get("cache/bots/coordination/status", keys("blocks", "openings")),
    get("cache/trades/queue/status", QUEUE),
    get("cache/trades/queue/status", has(queue_name="trades")),
    get("cache/trades/queue/size", lambda body: body.keys() == {"queue_name", "size"}),
    get("cache/trades/queue", rows_if_any("queue_name", "exchange", "symbol", "size")),
    get("cache/trades/performance/metrics", keys("queue_name", "processing_rate", "reads", "hits", "latency_ms")),
    get("cache/trades/kraken/BTC-USD", KRAKEN_BTC),
    get("cache/ohlcv/BTC-USDT/timeframes", has(symbol="BTC/USDT", timeframes=[])),
    get("cache/ohlcv/BTC-USDT/1h", has(symbol="BTC/USDT", timeframe="1h", count=0)),
    get("cache/ohlcv/cache/status", has(count=0, size=0, lists=[])),
    get("cache/ohlcv/performance/metrics", lambda body: body["reads"] == body["hits"] + body["misses"]),
    get("cache/processes/status", lambda body: "tick" in {row["process_type"] for row in body}, admin=True),
    get("cache/processes/health", lambda body: body["by_type"]["tick"] >= 1, admin=True),
    get("cache/processes/performance", lambda body: body["by_type"]["tick"]["newest_heartbeat"], admin=True),
    get("cache/processes/cache/overview", lambda body: body["keys_by_family"]["tickers"] == 3, admin=True),
    Request("GET", "cache/processes/status", FAILURE, status=403),
]  # fmt: skip

SERVICES = [
    get("services", lambda body: body["services"].keys() == {"ticker", "ohlcv", "account"}, admin=True),
    get("services/ticker/status", has(service="ticker", status="running"), admin=True),
    Request("POST", "services/account/start", lambda b: "already running" in b["detail"], status=400, admin=True),
    Request("POST", "services/account/restart", has(service="account", status="restarted"), admin=True),
    Request("POST", "services/account/stop", has(service="account", status="stopped"), admin=True),
    Request("POST", "services/account/stop", lambda b: "is not running" in b["detail"], status=400, admin=True),
    Request("POST", "services/account/start", has(service="account", status="started"), admin=True),
    Request("POST", "services/nonsense/start", lambda b: "nonsense" in b["detail"], status=400, admin=True),
    Request("POST", "services/ticker/stop", FAILURE, status=403),
]  # fmt: skip

PLATFORM_HEALTH = keys("status", "version", "timestamp", "services")

HEALTH = [
    get("/health", PLATFORM_HEALTH),
    get("health", PLATFORM_HEALTH),
    get("/health", lambda body: body["services"]["postgresql"] == body["services"]["redis"] == "connected"),
    get("/health", lambda body: body["services"]["daemons"].keys() == {"ticker", "ohlcv", "account"}),
    get("/health", lambda body: all(healthy_part(body["services"][name]) for name in ("orm_api", "cache_api", "ohlcv_api"))),
    get("/health/deep", lambda body: body["pools"]["postgres"].keys() == {"size", "in_use", "waiting"}),
    get("/health/orm_api", healthy_part),
    get("/health/cache_api", healthy_part),
    get("/health/ohlcv_api", healthy_part),
    get("/health/live", has(status="alive")),
    get("/health/ready", keys("postgres", "ohlcv", "redis")),
    get("/health/services", lambda body: {one["status"] for one in body["services"].values()} <= STATUSES),
    get("/health/monitor", keys("status", "monitoring", "auto_restart", "issues", "recovery_actions")),
    Request("POST", "/health/check", has(status="completed")),
    get("/", has(service="fullon_graphql", health="/health", docs="/docs", api="/api/v1")),
]  # fmt: skip

CLEANING_UP = [Request("DELETE", "orm/bots/{bot}", DONE)]

REQUESTS = [
    *SIGNING_IN, *USERS, *BOTS, *EXCHANGES, *STRATEGIES, *ORDERS, *TRADES, *SYMBOLS_AND_VIEWS, *MARKET_DATA, *CACHE,
    *SERVICES, *HEALTH, *CLEANING_UP,
]  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One message on a socket, the meaning of its result and, for a stream, that of its first update."""

    path: str
    name: str
    params: dict[str, Any]
    means: Meaning
    update: Meaning | None = None
    admin: bool = False


def prices(body: Any) -> bool:
    """The tickers of kraken's three symbols."""
    return bool(body["exchange"] == "kraken" and len(body["tickers"]) == 3)


def bars(body: Any) -> bool:
    """Bars of BTC/USD."""
    return bool(body["symbol"] == "BTC/USD" and len(body["bars"][0]) == 6)


DOMAIN = "/api/v1/cache/ws"
BTC = {"exchange": "kraken", "symbol": "BTC/USD"}
BTCS = {"exchange": "kraken", "symbols": ["BTC/USD"]}
PRICE = has(**BTC)
STREAMING = keys("stream_key")
POSITIONS = has(user_id=TRADER_UID)
CANDLES = {**BTC, "timeframe": "1m"}

GATEWAY_MESSAGES = [
    Message("/ws", "ping", {}, has(status="ok")),
    Message("/ws", "health_check", {}, has(status="healthy")),
    Message("/ws", "get_ticker", BTC, PRICE),
    Message(DOMAIN, "get_ticker", BTC, PRICE),
    Message("/ws/tickers", "get_ticker", BTC, PRICE),
    Message("/ws/tickers", "stream_tickers", BTCS, STREAMING, PRICE),
    Message("/ws/order_queue", "stream_order_queue", {"exchange": "kraken"}, STREAMING, has(exchange="kraken")),
    Message("/ws/bot_status", "stream_bot_status", {"bot_id": 1}, STREAMING, lambda body: "1" in body["bots"]),
    Message("/ws", "get_all_tickers", {"exchange": "kraken"}, prices),
    Message("/ws", "stream_tickers", BTCS, STREAMING, PRICE),
    Message("/ws", "get_user_positions", {"user_id": TRADER_UID}, POSITIONS),
    Message("/ws", "get_user_balances", {"user_id": TRADER_UID}, POSITIONS),
    Message("/ws", "get_account_status", {"user_id": TRADER_UID}, lambda body: len(body["accounts"]) == 5),
    Message("/ws", "stream_user_positions", {"user_id": TRADER_UID}, STREAMING),
    Message("/ws", "stream_user_balances", {"user_id": TRADER_UID}, STREAMING, keys("currency", "total_balance")),
    Message("/ws", "get_order_status", {"exchange": "kraken", "order_id": "O-1"}, has(order_id="O-1", status="open")),
    Message("/ws", "get_queue_length", {"exchange": "kraken"}, keys("exchange", "queue_length", "timestamp")),
    Message("/ws", "stream_order_queue", {"exchange": "kraken"}, STREAMING, has(exchange="kraken")),
    Message("/ws", "is_blocked", BTC, lambda body: PRICE(body) and body["is_blocked"] in {True, False}),
    Message("/ws", "get_bots", {}, keys("bots")),
    Message("/ws", "stream_bot_status", {"bot_id": 1}, STREAMING, lambda body: "1" in body["bots"]),
    Message("/ws", "get_trades", BTC, PRICE),
    Message("/ws", "get_trade_status", BTC, PRICE),
    Message("/ws", "stream_trade_updates", BTC, STREAMING),
    Message("/ws", "get_latest_ohlcv_bars", CANDLES, bars),
    Message("/ws", "stream_ohlcv_updates", CANDLES, STREAMING, has(symbol="BTC/USD", timeframe="1m")),
    Message("/ws", "get_active_processes", {"process_type": "tick"}, lambda body: body["processes"], admin=True),
    Message("/ws", "get_system_health", {}, lambda body: body["by_type"]["tick"], admin=True),
    Message("/ws", "stream_process_health", {}, STREAMING, keys("active_processes", "timestamp"), admin=True),
]

DOMAIN_MESSAGES = [
    Message(f"{DOMAIN}/tickers/me", "get_ticker", BTC, PRICE),
    Message(f"{DOMAIN}/tickers", "get_ticker", BTC, PRICE),
    Message(f"{DOMAIN}/tickers/me", "get_all_tickers", {"exchange": "kraken"}, prices),
    Message(f"{DOMAIN}/tickers/me", "stream_tickers", BTCS, STREAMING, PRICE),
    Message(f"{DOMAIN}/accounts", "get_balance", {"exchange": "kraken main", "currency": "USD"}, has(currency="USD")),
    Message(f"{DOMAIN}/accounts", "get_positions", {"user_id": TRADER_UID}, POSITIONS),
    Message(f"{DOMAIN}/accounts", "stream_positions", {"user_id": TRADER_UID}, STREAMING),
    Message(
        f"{DOMAIN}/orders", "get_order_status", {"exchange": "4", "order_id": "O-1"}, has(order_id="O-1", amount=2)
    ),
    Message(f"{DOMAIN}/orders", "get_queue_length", {"exchange": "kraken"}, has(exchange="kraken")),
    Message(f"{DOMAIN}/orders", "stream_order_queue", {"exchange": "kraken"}, STREAMING, has(exchange="kraken")),
    Message(f"{DOMAIN}/trades", "get_trades", BTC, PRICE),
    Message(f"{DOMAIN}/trades", "stream_trade_updates", BTC, STREAMING),
    Message(f"{DOMAIN}/bots", "get_bot_status", {"bot_id": 1}, has(bot_id=1)),
    Message(f"{DOMAIN}/bots", "is_blocked", BTC, PRICE),
    Message(f"{DOMAIN}/bots", "get_bots", {}, keys("bots")),
    Message(f"{DOMAIN}/bots", "stream_bot_status", {"bot_id": 1}, STREAMING, lambda body: "1" in body["bots"]),
    Message(f"{DOMAIN}/ohlcv", "get_latest_ohlcv_bars", CANDLES, bars),
    Message(f"{DOMAIN}/ohlcv", "stream_ohlcv", CANDLES, STREAMING, has(symbol="BTC/USD", timeframe="1m")),
    Message(f"{DOMAIN}/process", "get_system_health", {}, lambda body: body["by_type"]["tick"], admin=True),
    Message(f"{DOMAIN}/process", "get_active_processes", {}, lambda body: body["processes"], admin=True),
    Message(f"{DOMAIN}/process", "stream_process_health", {}, STREAMING, keys("active_processes"), admin=True),
]

MESSAGES = GATEWAY_MESSAGES + DOMAIN_MESSAGES
