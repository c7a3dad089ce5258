"""The platform's WebSockets: authentication, the documented answers of each operation, and the end of connections."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest
from redis.asyncio import Redis
from websockets.exceptions import InvalidStatus

from fullon_graphql.cache import keys, processes, tickers
from fullon_graphql.cache.processes import Process, ProcessStatus, ProcessType
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from tests.e2e.test_candle_streams import store, time_of
from tests.e2e.test_socket_life import ending
from tests.e2e.test_streams_over_http import gauge, gauges
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.platform_socket import platform_socket
from tests.fixtures.rows import ADMIN, OTHER, TRADER
from tests.fixtures.server import Server, ServerProcess, StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn

TIME = "2026-01-01T00:00:00+00:00"
CACHE = "/api/v1/cache/ws"
BARS = "/api/v1/ohlcv/ws/ohlcv"
GATEWAY = [
    "ping", "health_check", "get_ticker", "get_all_tickers", "stream_tickers", "get_user_positions",
    "get_user_balances", "get_account_status", "stream_user_positions", "stream_user_balances", "get_order_status",
    "get_queue_length", "stream_order_queue", "is_blocked", "get_bots", "stream_bot_status", "get_trades",
    "get_trade_status", "stream_trade_updates", "get_latest_ohlcv_bars", "stream_ohlcv_updates",
    "get_active_processes", "get_system_health", "stream_process_health",
]  # fmt: skip
"""The operations that the platform's gateway names."""


async def changed(redis: Redis, key: str) -> None:
    """Announce a change, so that the server reads at once."""
    await redis.publish(keys.changes(key), "")


# ---------------------------------------------------------------- authentication


async def test_token_is_read_from_address_header_or_first_message(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with platform_socket(server, "/ws", token) as client:
        assert await client.result("ping") == {"status": "ok"}
    async with platform_socket(server, CACHE, headers=bearer(token)) as client:
        assert await client.result("health_check") == {"status": "healthy"}
    async with platform_socket(server, f"{CACHE}/bots/me") as client:
        await client.send(token=token)
        assert await client.result("get_bots") == {"bots": {}}
    async with platform_socket(server, "/ws") as client:
        await client.send(token=f"Bearer {token}", operation="ping", request_id="1")
        assert (await client.receive())["request_id"] == "1"


async def test_unauthenticated_connection_is_closed_with_a_reason(
    server: Server, start_in_process: StartInProcess
) -> None:
    for path in ("/ws", f"{CACHE}/tickers/a", BARS):
        async with platform_socket(server, path) as client:
            await client.send(operation="ping", action="get_ticker")
            assert await client.closed() == (1008, "Missing authentication token")
        async with platform_socket(server, path, "garbage") as client:
            assert await client.closed() == (1008, "Invalid authentication token")
        async with platform_socket(server, path) as client:
            await client.send(token="garbage")
            assert await client.closed() == (1008, "Invalid authentication token")
    for path in ("/", "/ws/nonsense", f"{CACHE}/nonsense/a", f"{CACHE}/nonsense", f"{CACHE}/tickers/a/b"):
        with pytest.raises(InvalidStatus) as refusal:
            async with platform_socket(server, path):
                pass
        assert refusal.value.response.status_code == 404
    async with (
        start_in_process(SOCKET_INIT_TIMEOUT="0.5") as server_with_timeout,
        platform_socket(server_with_timeout, "/ws") as client,
    ):
        assert await client.closed() == (1008, "Missing authentication token")


async def test_connection_ends_with_its_token_unless_renewed(
    server: Server, sign_in: SignIn, settings: Settings
) -> None:
    token, others = await sign_in(TRADER), await sign_in(OTHER)
    async with platform_socket(server, "/ws", ending(settings, token, 20)) as lasting:
        async with platform_socket(server, "/ws", ending(settings, token, 8)) as client:
            await lasting.send(token=others)
            assert (await lasting.receive())["error_code"] == "UNAUTHENTICATED"
            await lasting.send(token=token)
            assert await client.closed() == (1008, "The token has expired.")
        assert (await server.ask("mutation { logout }", token))["data"] == {"logout": True}
        assert (await lasting.closed())[0] == 1008


# ---------------------------------------------------------------- answers


async def test_gateway_has_every_operation_and_the_documented_answers(server: Server, sign_in: SignIn) -> None:
    async with platform_socket(server, "/ws", await sign_in(ADMIN)) as client:
        answer = await client.ask("ping")
        assert answer.keys() == {"request_id", "success", "result", "error", "error_code", "timestamp", "latency_ms"}
        assert answer["latency_ms"] >= 0
        for name in GATEWAY:
            answer = await client.ask(name)
            assert answer.get("error_code") in {None, "INVALID_PARAMS", "CACHE_MISS"}, answer
            if answer["success"] and name.startswith("stream"):
                await client.send(request_id="end", operation="unsubscribe", params=answer["result"])
                while (answer := await client.receive())["request_id"] != "end":
                    pass  # results that were already sent
                assert answer["success"]
        answer = await client.ask("nonsense")
        assert (answer["error_code"], answer["success"]) == ("INVALID_OPERATION", False)
        assert answer["error_message"] == answer["error"]
        for text in ("{broken", "[]", '{"operation": 1}', '{"operation": "ping", "params": 1}'):
            await client.connection.send(text)
            assert (await client.receive())["error_code"] == "MALFORMED_MESSAGE"
        await client.connection.send(b"{}")
        assert (await client.receive())["error_code"] == "MALFORMED_MESSAGE"
        await client.send(operation="ping")
        assert len((await client.receive())["request_id"]) == 32


async def test_ticker_operations_have_the_documented_answers(server: Server, sign_in: SignIn, redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", 1, 10.5, volume=3, bid=0.5), Ticker("kraken", "A/B:C", 2, 1)])
    gold = {"symbol": "GOLD", "exchange": "kraken", "price": 1, "volume": 3, "bid": 0.5, "ask": None}
    gold |= {"timestamp": 10.5, "change_24h": None}
    async with platform_socket(server, f"{CACHE}/tickers/me", await sign_in(TRADER)) as client:
        named = {"request_id": 1, "action": "get_ticker", "success": True}
        assert await client.ask("get_ticker", exchange="kraken", symbol="GOLD") == {**named, "result": gold}
        found = await client.result("get_all_tickers", exchange="kraken")
        assert [ticker["symbol"] for ticker in found["tickers"]] == ["A/B:C", "GOLD"]
        assert await client.refused("get_ticker", exchange="kraken", symbol="no") == "TICKER_NOT_FOUND"
        assert await client.refused("get_ticker", exchange="kraken") == "INVALID_PARAMS"
        assert await client.refused("get_ticker", exchange="kraken", symbol=1) == "INVALID_PARAMS"
        started = await client.ask("stream_tickers", exchange="kraken", symbols=["GOLD"])
        assert (started["success"], started["stream_key"]) == (True, f"me:{started['request_id']}")
        assert await client.update() == ("ticker_update", gold)
        await tickers.write(redis, [Ticker("kraken", "GOLD", 5, 11)])
        assert (await client.update())[1]["price"] == 5
        await client.send(action="stream_tickers", request_id=started["request_id"], params={"exchange": "kraken"})
        assert (await client.receive())["error_code"] == "INVALID_PARAMS"
        stopped = await client.result("unsubscribe", request_id=started["request_id"])
        assert stopped == {"stream_key": started["stream_key"]}
        await eventually_equal(lambda: gauge(server, 0), 0)
        assert await client.refused("unsubscribe", request_id=started["request_id"]) == "INVALID_PARAMS"


@pytest.mark.parametrize("path", ["/ws/tickers", "/ws/order_queue", "/ws/bot_status", "/api/cache/ws"])
async def test_other_addresses_speak_as_the_gateway(server: Server, sign_in: SignIn, redis: Redis, path: str) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", 1, 10.5)])
    async with platform_socket(server, path, await sign_in(TRADER)) as client:
        assert (await client.result("get_ticker", exchange="kraken", symbol="GOLD"))["price"] == 1
        started = await client.result("stream_tickers", exchange="kraken", symbols=["GOLD"])
        assert started["status"] == "streaming"
        assert (await client.update())[1]["symbol"] == "GOLD"


async def test_domain_without_connection_id_gets_one(server: Server, sign_in: SignIn) -> None:
    async with platform_socket(server, f"{CACHE}/tickers/", await sign_in(TRADER)) as client:
        connection_id, _, request_id = (await client.ask("stream_tickers", exchange="kraken"))["stream_key"].partition(
            ":"
        )
        assert (len(connection_id), request_id) == (32, "1")


async def test_subscribe_streams_each_symbol_with_values_at_the_top(
    server: Server, sign_in: SignIn, redis: Redis
) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", 1, 10.5), Ticker("kraken", "BTC/USD", 2, 10.5)])
    async with platform_socket(server, f"{CACHE}/tickers", await sign_in(TRADER)) as client:
        await client.send(action="subscribe", exchange="kraken", symbol="GOLD")
        started = await client.receive()
        assert (started["action"], started["success"]) == ("subscribe", True)
        assert started["result"] == {"exchange": "kraken", "symbol": "GOLD"}
        update = await client.receive()
        assert (update["request_id"], update["action"]) == (started["request_id"], "ticker_update")
        assert (update["exchange"], update["symbol"], update["price"]) == ("kraken", "GOLD", 1)
        await client.send(action="subscribe", exchange="kraken", symbol="GOLD")
        assert (await client.receive())["error_code"] == "INVALID_PARAMS"
        await client.send(action="unsubscribe", exchange="kraken", symbol="GOLD")
        assert (await client.receive())["result"] == {"exchange": "kraken", "symbol": "GOLD"}
        await client.send(action="subscribe", request_id=7, exchange="kraken", symbols=["GOLD", "BTC/USD"])
        assert (await client.receive())["request_id"] == 7
        assert {(await client.receive())["symbol"] for _ in range(2)} == {"GOLD", "BTC/USD"}
        await client.send(action="unsubscribe", exchange="kraken", symbol="GOLD")
        assert (await client.receive())["success"]
        await tickers.write(redis, [Ticker("kraken", "GOLD", 3, 11), Ticker("kraken", "BTC/USD", 4, 11)])
        update = await client.receive()
        assert (update["symbol"], update["price"]) == ("BTC/USD", 4)
        await client.send(action="unsubscribe")
        assert (await client.receive())["success"]
        await eventually_equal(lambda: gauge(server, 0), 0)
        await client.send(action="unsubscribe", exchange="kraken", symbol="GOLD")
        assert (await client.receive())["error_code"] == "INVALID_PARAMS"
        for wrong in ({"symbols": "GOLD"}, {"symbol": 1}, {"symbols": [""]}, {"symbol": "GOLD", "exchange": None}):
            await client.send(action="subscribe", **{"exchange": "kraken", **wrong})
            assert (await client.receive())["error_code"] == "INVALID_PARAMS"


async def test_subscribe_starts_the_stream_of_each_domain(server: Server, sign_in: SignIn, redis: Redis) -> None:
    await held(redis, 20, GOLD=-2)
    named = {"exchange": "kraken", "symbol": "BTC/USD"}
    expected: dict[str, tuple[str, dict[str, Any]]] = {
        "accounts": ("position_update", {"symbol": "GOLD", "size": -2, "exchange": "kraken"}),
        "orders": ("queue_update", {"exchange": "kraken", "queue_length": 0}),
        "bots": ("bot_update", {"bots": {"1": {}}}),
    }
    for domain, (kind, values) in expected.items():
        async with platform_socket(server, f"{CACHE}/{domain}", await sign_in(TRADER)) as client:
            fields: dict[str, Any] = {"bot_id": 1} if domain == "bots" else {"exchange": "kraken"}
            await client.send(action="subscribe", **fields)
            assert (await client.receive())["result"] == fields
            update = await client.receive()
            assert (update["action"], {name: update[name] for name in values}) == (kind, values)
    for domain in ("trades", "ohlcv"):
        async with platform_socket(server, f"{CACHE}/{domain}", await sign_in(TRADER)) as client:
            await client.send(action="subscribe", **named)
            assert (await client.receive())["result"] == named
            await client.send(action="unsubscribe", **named)
            assert (await client.receive())["result"] == named
    async with platform_socket(server, f"{CACHE}/process", await sign_in(ADMIN)) as client:
        await client.send(action="subscribe")
        assert (await client.receive())["success"]
        assert (await client.receive())["active_processes"] == 0


async def held(redis: Redis, ex_id: int, **positions: Any) -> None:
    stored = {symbol: {"cost": 10, "volume": volume, "fee": 0, "price": 10} for symbol, volume in positions.items()}
    await redis.hset(keys.POSITIONS, str(ex_id), json.dumps(stored | {"timestamp": TIME}))
    await changed(redis, keys.POSITIONS)


async def test_accounts_of_other_users_are_not_found(server: Server, sign_in: SignIn, redis: Redis) -> None:
    await held(redis, 20, GOLD=-2)
    await held(redis, 30, GOLD=7)
    amounts = {"USD": {"total": 5, "free": 3, "used": 2}, "date": TIME}
    for ex_id in ("20", "21", "30"):
        await redis.hset(keys.ACCOUNTS, ex_id, json.dumps(amounts))
    await tickers.write(redis, [Ticker("kraken", "GOLD", 15, 1)])
    async with platform_socket(server, f"{CACHE}/accounts/me", await sign_in(TRADER)) as client:
        balance = await client.result("get_balance", currency="USD")
        assert balance == await client.result("get_balance", user_id=str(TRADER)) == {
            "user_id": TRADER, "currency": "USD", "total_balance": 10, "available_balance": 6, "reserved_balance": 4,
            "timestamp": balance["timestamp"],
        }  # fmt: skip
        assert (await client.result("get_balance", exchange="bitmex"))["total_balance"] == 5
        found = await client.result("get_positions", user_id=TRADER)
        [position] = found.pop("positions")
        assert found == {"user_id": TRADER, "exchange": None, "count": 1}
        del position["timestamp"]
        assert position == {
            "ex_id": 20, "exchange": "kraken", "symbol": "GOLD", "side": "short", "size": -2, "entry_price": 10,
            "mark_price": 15, "pnl": -10, "pnl_percent": -50,
        }  # fmt: skip
        assert (await client.result("get_positions", exchange="futures"))["count"] == 0
        for foreign in ({"user_id": OTHER}, {"exchange": "30"}, {"ex_id": 30}, {"exchange": "none"}):
            for name in ("get_balance", "get_positions", "stream_positions"):
                assert await client.refused(name, **foreign) == "BALANCE_NOT_FOUND"
        assert await client.refused("get_balance", currency="EUR") == "BALANCE_NOT_FOUND"
        assert await client.refused("get_positions", user_id="x") == "INVALID_PARAMS"
        await client.ask("stream_positions", ex_id=20)
        kind, update = await client.update()
        assert (kind, update["user_id"], update["symbol"], update["size"]) == ("position_update", TRADER, "GOLD", -2)
        await held(redis, 20, OTHER=1)
        closed, opened = [(await client.update())[1] for _ in range(2)]
        assert [(one["symbol"], one["size"]) for one in (closed, opened)] == [("GOLD", 0), ("OTHER", 1)]
    async with platform_socket(server, "/ws", await sign_in(ADMIN)) as client:
        assert (await client.result("get_user_positions", user_id=OTHER))["positions"][0]["size"] == 7
        assert (await client.result("get_user_balances", user_id=OTHER))["balances"][0]["ex_id"] == 30
        [status] = (await client.result("get_account_status", user_id=OTHER))["accounts"]
        assert (status["currencies"], status["positions"], status["name"]) == (1, 1, "main")
        await client.ask("stream_user_balances", user_id=OTHER)
        assert (await client.update())[1]["total_balance"] == 5


async def test_orders_are_read_and_not_consumed(server: Server, sign_in: SignIn, redis: Redis) -> None:
    reported = {"status": "open", "symbol": "GOLD", "side": "buy", "volume": 2, "final_volume": 0.5, "timestamp": TIME}
    await redis.hset(keys.order_status(20), "O1", json.dumps(reported))
    await redis.hset(keys.order_status("kraken"), "40", json.dumps({"status": "New", "ex_id": 20}))
    await redis.hset(keys.order_status(30), "foreign", json.dumps(reported))
    async with platform_socket(server, f"{CACHE}/orders/me", await sign_in(TRADER)) as client:
        by_name = await client.result("get_order_status", exchange="kraken", order_id="O1")
        assert by_name == await client.result("get_order_status", exchange="20", order_id=1)
        assert [by_name[name] for name in ("order_id", "exchange", "amount", "filled", "remaining", "status")] == [
            "O1", "kraken", 2, 0.5, 1.5, "open",
        ]  # fmt: skip
        assert (await client.result("get_order_status", exchange="kraken", order_id=40))["status"] == "New"
        for order_id in ("foreign", "nonsense", None):
            assert await client.refused("get_order_status", exchange="kraken", order_id=order_id) == "ORDER_NOT_FOUND"
        assert (await client.result("get_queue_length", exchange="kraken"))["queue_length"] == 2
        assert await client.refused("stream_order_queue", exchange="30") == "ORDER_NOT_FOUND"
        await client.ask("stream_order_queue", exchange="kraken")
        kind, update = await client.update()
        assert (kind, update["queue_length"]) == ("queue_update", 2)
        await redis.hset(keys.order_status(20), "O2", json.dumps(reported))
        await changed(redis, keys.ORDER_STATUS)
        assert (await client.update())[1]["queue_length"] == 3
    assert await redis.hlen(keys.order_status(20)) == 2


async def test_trades_are_read_and_not_consumed(server: Server, sign_in: SignIn, redis: Redis) -> None:
    queue = keys.trades("kraken", "BTC/USD")
    await redis.rpush(queue, '{"price": 1, "side": "buy", "volume": 2, "time": 3, "trade_id": 4}', "broken", "5")
    await redis.set(keys.trades_status("kraken"), TIME)
    named = {"exchange": "kraken", "symbol": "BTC/USD"}
    trade = named | {"side": "buy", "volume": 2, "price": 1, "timestamp": 3, "trade_id": 4}
    async with (
        platform_socket(server, f"{CACHE}/trades/me", await sign_in(TRADER)) as client,
        platform_socket(server, "/ws", await sign_in(TRADER)) as gateway,
    ):
        for _ in range(2):
            assert await client.result("get_trades", **named) == named | {"trades": [trade]}
        status = await gateway.result("get_trade_status", **named)
        assert (status["queue_length"], status["timestamp"]) == (3, TIME)
        assert await client.refused("get_trades", exchange="kraken") == "INVALID_PARAMS"
        await client.ask("stream_trade_updates", exchange="kraken")
        await client.ask("stream_trade_updates", **named)
        first, last = asyncio.ensure_future(client.update()), 100

        async def push_until_received() -> bool:
            """Push trades until one is delivered: those in the queue at the first read are not new."""
            nonlocal last
            last += 1
            await redis.rpush(queue, json.dumps({"price": last}))
            await changed(redis, keys.TRADES)
            return first.done()

        await eventually(push_until_received)
        kind, update = await first
        assert kind == "trade_update"
        prices = [update["price"]]
        while prices[-1] < last:
            prices.append((await client.update())[1]["price"])
        assert prices == list(range(prices[0], last + 1))
        await redis.delete(queue)
        await redis.rpush(queue, json.dumps({"price": 1000}))
        await changed(redis, keys.TRADES)
        assert (await client.update())[1]["price"] == 1000


async def test_owner_receives_bot_status(server: Server, sign_in: SignIn, redis: Redis) -> None:
    status_by_feed = {"0": {"status": "running", "symbol": "BTC/USD", "timestamp": TIME}}
    await redis.hset(keys.BOT_STATUS, mapping={"1": json.dumps(status_by_feed), "6": json.dumps(status_by_feed)})
    await redis.hset(keys.BLOCKED_EXCHANGES, mapping={"20:BTC/USD": "1", "30:GOLD": "6"})
    async with platform_socket(server, f"{CACHE}/bots/me", await sign_in(TRADER)) as client:
        status = await client.result("get_bot_status", bot_id=1)
        assert (status["bot_id"], status["status"], status["data"]) == (1, "running", status_by_feed)
        assert (await client.result("get_bot_status", bot_id="2"))["status"] == "unknown"
        assert await client.result("get_bots") == {"bots": {"1": status_by_feed}}
        blocked = await client.result("is_blocked", exchange="kraken", symbol="BTC/USD")
        assert (blocked["is_blocked"], blocked["blocked_by"]) == (True, 1)
        assert (await client.result("is_blocked", exchange="kraken", symbol="GOLD"))["is_blocked"] is False
        for bot_id in (6, 999):
            assert await client.refused("get_bot_status", bot_id=bot_id) == "BOT_NOT_FOUND"
            assert await client.refused("stream_bot_status", bot_id=bot_id) == "BOT_NOT_FOUND"
        await client.ask("stream_bot_status", bot_id=1)
        assert await client.update() == ("bot_update", {"bots": {"1": status_by_feed}})
        await client.ask("stream_bot_status")
        assert {next(iter((await client.update())[1]["bots"])) for _ in range(5)} == {"1", "2", "3", "4", "5"}


async def test_bar_operations_have_the_documented_answers(
    server: Server, sign_in: SignIn, redis: Redis, ohlcv_database: Database
) -> None:
    await redis.rpush(keys.ohlcv("BTC/USD", "1m"), "[1,2,3,4,5,6]", "[2,2,3,4,5,6]")
    await store(ohlcv_database, redis, range(3))
    named = {"symbol": "BTC/USD", "timeframe": "1m"}
    async with platform_socket(server, f"{CACHE}/ohlcv/me", await sign_in(TRADER)) as client:
        assert await client.result("get_latest_ohlcv_bars", **named, count=1) == named | {"bars": [[2, 2, 3, 4, 5, 6]]}
        found = await client.result("get_latest_ohlcv_bars", **named, exchange="kraken", count=2)
        assert found["bars"] == [[1704067260000, 2, 2, 2, 2, 1], [1704067320000, 3, 3, 3, 3, 1]]
        for wrong in ({"timeframe": "2m"}, {"timeframe": "1h", "count": 0}, {"timeframe": "1h", "count": "x"}):
            assert await client.refused("get_latest_ohlcv_bars", symbol="BTC/USD", **wrong) == "INVALID_PARAMS"
        assert await client.refused("get_latest_ohlcv_bars", symbol="A", timeframe="1m") == "OHLCV_NOT_FOUND"
        assert await client.refused("stream_ohlcv", symbol="A", timeframe="1m") == "OHLCV_NOT_FOUND"
        await client.ask("stream_ohlcv", **named)
        assert await client.update() == ("ohlcv_update", named | {"bar": [1704067320000, 3, 3, 3, 3, 1]})
        await store(ohlcv_database, redis, [3])
        assert (await client.update())[1]["bar"][0] == 1704067380000


async def test_live_bars_have_their_own_address(
    server: Server, sign_in: SignIn, redis: Redis, ohlcv_database: Database
) -> None:
    await store(ohlcv_database, redis, range(3))
    named = {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "1m"}
    async with platform_socket(server, BARS, await sign_in(TRADER)) as client:
        await client.connection.send("{broken")
        assert (await client.receive())["message"] == "Invalid JSON format"
        await client.send(action="nonsense")
        assert (await client.receive())["message"] == "Unknown action: nonsense"
        await client.send(action="subscribe", exchange="kraken")
        error = await client.receive()
        assert error.keys() == {"type", "message", "timestamp"}
        assert error["message"] == "Missing required fields: exchange, symbol, timeframe, type"
        await client.send(action="subscribe", **named, type="ohlcv_live")
        confirmed = await client.receive()
        del confirmed["timestamp"]
        assert confirmed == named | {
            "type": "subscription_confirmed", "subscription_type": "ohlcv_live", "data": {"status": "subscribed"}
        }  # fmt: skip
        update = await client.receive()
        assert (update["type"], update["symbol"]) == ("ohlcv_update", "BTC/USD")
        assert update["data"] == {
            "timestamp": time_of(2), "open": 3, "high": 3, "low": 3, "close": 3, "volume": 1, "is_final": True
        }  # fmt: skip
        await client.send(action="unsubscribe", **named, type="ohlcv_live")
        assert (await client.receive())["type"] == "unsubscription_confirmed"
        await client.send(action="subscribe", **(named | {"timeframe": "2m"}), type="x")
        assert (await client.receive())["type"] == "error"


async def test_processes_require_admin(server: Server, sign_in: SignIn, redis: Redis) -> None:
    ticker = Process(ProcessType.TICK, "ticker_daemon", {"pid": 7})
    await processes.register(redis, [ticker])
    await processes.update(redis, [ticker], ProcessStatus.RUNNING, "fine")
    path = f"{CACHE}/process/me"
    async with platform_socket(server, path, await sign_in(TRADER)) as client:
        for name in ("get_system_health", "get_active_processes", "stream_process_health"):
            assert await client.refused(name) == "FORBIDDEN"
    async with platform_socket(server, path, await sign_in(ADMIN)) as client:
        assert await client.result("get_system_health") == {
            "healthy": True, "total_processes": 1, "by_type": {"tick": 1}, "by_status": {"running": 1},
            "stale_processes": 0, "error_processes": 0,
        }  # fmt: skip
        [found] = (await client.result("get_active_processes", process_type="tick", since_minutes=60))["processes"]
        assert (found["process_id"], found["name"], found["pid"]) == (ticker.id, "ticker_daemon", 7)
        assert (await client.result("get_active_processes", process_type="bot"))["processes"] == []
        assert await client.refused("get_active_processes", process_type="x") == "INVALID_PARAMS"
        await client.ask("stream_process_health")
        assert (await client.update())[1]["active_processes"] == 1
        await processes.register(redis, [Process(ProcessType.BOT, "bot", {})])
        assert (await client.update())[1]["active_processes"] == 2


# ---------------------------------------------------------------- end of connections


async def test_each_limit_has_its_own_answer(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    token, other = await sign_in(TRADER), await sign_in(OTHER)
    limits = {
        "SOCKET_LIMIT": "3", "SOCKETS_PER_USER": "2", "SUBSCRIPTIONS_PER_SOCKET": "2", "SOCKET_MESSAGE_BYTES": "2048",
        "SOCKET_MESSAGES_PER_SECOND": "20",
    }  # fmt: skip
    async with (
        start_in_process(**limits) as server,
        platform_socket(server, "/ws", token) as first,
        platform_socket(server, BARS, token) as second,
    ):
        assert await first.result("ping") == {"status": "ok"}
        await second.send(action="nonsense")
        assert (await second.receive())["type"] == "error"  # so both are authenticated
        async with platform_socket(server, "/ws", token) as third:
            assert (await third.closed())[0] == 1013
        await eventually_equal(lambda: gauge(server, 2), 2)
        for code in (None, None, "RATE_LIMITED"):
            assert (await first.ask("stream_tickers", exchange="nowhere", symbols=["x"]))["error_code"] == code
        async with platform_socket(server, "/ws", other) as client_at_the_limit:
            assert await client_at_the_limit.result("ping") == {"status": "ok"}
            with pytest.raises(InvalidStatus) as refusal:
                async with platform_socket(server, "/ws", other):
                    pass
            assert refusal.value.response.status_code == 429
            for _ in range(200):
                await client_at_the_limit.send(operation="ping")
            assert (await client_at_the_limit.closed())[0] == 1008
        await first.connection.send("x" * 3000)
        assert (await first.closed())[0] == 1009


async def test_disconnected_client_leaves_nothing_behind(
    server_process: ServerProcess, sign_in: SignIn, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    for path in ("/ws", f"{CACHE}/tickers/me"):
        async with platform_socket(server_process, path, token) as client:
            await tickers.write(redis, [Ticker("kraken", "GOLD", 1, 1)])
            await client.ask("stream_tickers", exchange="kraken")
            await client.update()
            for price in range(2, 50):
                await tickers.write(redis, [Ticker("kraken", "GOLD", price, price)])
            client.connection.transport.abort()
    await eventually_equal(lambda: gauges(server_process), (0, 0, 0))
    assert not [line for line in server_process.log if '"level":"error"' in line]


async def test_shutdown_makes_clients_reconnect(start_server: StartServer, sign_in: SignIn) -> None:
    async with start_server() as server, platform_socket(server, "/ws", await sign_in(TRADER)) as client:
        await client.ask("stream_tickers", exchange="nowhere", symbols=["x"])
        server.process.send_signal(signal.SIGTERM)
        assert (await client.closed())[0] == 1012
