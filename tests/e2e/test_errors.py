"""Errors over HTTP: each has its code; internal errors are masked and logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from sqlalchemy import text

from fullon_graphql.cache import keys
from fullon_graphql.database import Database
from tests.fixtures.eventually import eventually
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import Server, ServerProcess, StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.rest.test_health import DOWN, NOWHERE


def errors(response: httpx.Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = response.json()["errors"]
    assert "Traceback" not in response.text
    assert NOWHERE not in response.text
    return found


def extensions(response: httpx.Response) -> list[dict[str, Any]]:
    """The `extensions` of each error, without `retryAfter`: it depends on how often a store has been tried."""
    found = [error["extensions"] for error in errors(response)]
    return [{name: value for name, value in one.items() if name != "retryAfter"} for one in found]


@asynccontextmanager
async def broken(database: Database) -> AsyncIterator[None]:
    """A database in which the platform has altered a table."""
    rename = "ALTER TABLE symbols RENAME COLUMN {} TO {}"
    async with database.transaction() as connection:
        await connection.execute(text(rename.format("decimals", "motive")))
    try:
        yield
    finally:
        async with database.transaction() as connection:
            await connection.execute(text(rename.format("motive", "decimals")))


async def logged(server: ServerProcess, request_id: str) -> dict[str, Any]:
    [line] = await eventually(lambda: [line for line in server.log if request_id in line and '"level":"error"' in line])
    found: dict[str, Any] = orjson.loads(line)
    return found


async def test_internal_error_is_masked_and_logged_once_with_its_cause(
    server_process: ServerProcess, sign_in: SignIn, platform: Database
) -> None:
    token = await sign_in(TRADER)
    async with broken(platform):
        response = await server_process.post("{ me { uid } symbols { nodes { symbol } } }", bearer(token))
    [error] = errors(response)
    request_id = response.headers["x-request-id"]
    assert error["extensions"] == {"code": "INTERNAL", "requestId": request_id}
    assert error["message"] == f"Internal error. Please report it with request id {request_id}."
    assert "decimals" not in response.text
    line = await logged(server_process, request_id)
    assert (line["event"], line["level"], line["path"]) == ("operation.failed", "error", ["symbols"])
    assert "UndefinedColumn" in line["exception"]
    assert token not in str(server_process.log)


async def test_without_redis_the_rest_of_the_graph_answers(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    trader, admin = bearer(await sign_in(TRADER)), bearer(await sign_in(ADMIN))
    async with start_in_process(**DOWN["redis"]) as server:
        response = await server.post("{ me { uid } bot(botId: 1) { name } }", trader)
        assert response.json() == {"data": {"me": {"uid": TRADER}, "bot": {"name": "bot 1"}}}
        response = await server.post('{ me { uid } ticker(exchange: "kraken", symbol: "GOLD") { price } }', trader)
        assert response.json()["data"] == {"me": {"uid": TRADER}, "ticker": None}
        assert extensions(response) == [{"code": "SERVICE_UNAVAILABLE", "service": "redis"}]
        for question in (
            "{ services { state } }",
            "mutation { startService(name: TICKER) { state } }",
            'mutation { login(mail: "user2@fullon", password: "x") { accessToken } }',
        ):
            response = await server.post(question, admin)
            assert extensions(response) == [{"code": "SERVICE_UNAVAILABLE", "service": "redis"}], question


async def test_without_postgres_callers_are_not_unauthenticated(start_server: StartServer, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    async with start_server("/health/live", **DOWN["postgres"]) as server:
        response = await server.post("{ me { uid } }", trader)
        assert extensions(response) == [{"code": "SERVICE_UNAVAILABLE", "service": "postgres"}]
        assert response.headers["x-request-id"]
        response = await server.post('mutation { login(mail: "user2@fullon", password: "x") { accessToken } }')
        assert extensions(response) == [{"code": "SERVICE_UNAVAILABLE", "service": "postgres"}]
        assert (await server.ask("{ __typename }"))["data"] == {"__typename": "Query"}
        async with httpx.AsyncClient(base_url=server.url, headers=trader, timeout=60) as client:
            response = await client.get("/api/v1/auth/verify")
        assert response.status_code == 503
        assert (response.json()["error"]["code"], response.json()["error"]["service"]) == (
            "SERVICE_UNAVAILABLE",
            "postgres",
        )
        assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
    assert not [line for line in server.log if "Traceback" in line]  # an unavailable store is not logged as a bug


async def test_without_the_candle_store_only_candles_fail(start_in_process: StartInProcess, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    query = """{ me { uid } symbols(first: 1) { nodes { symbol } }
        candleColumns(exchange: "kraken", symbol: "GOLD", timeframe: H1, last: 1) { length } }"""
    async with start_in_process(**DOWN["ohlcv"]) as server:
        response = await server.post(query, trader)
        assert extensions(response) == [{"code": "SERVICE_UNAVAILABLE", "service": "ohlcv"}]
        nested = "{ symbols(first: 1) { nodes { symbol candles(timeframe: H1, last: 1) { open } } } }"
        assert extensions(await server.post(nested, trader)) == [{"code": "SERVICE_UNAVAILABLE", "service": "ohlcv"}]
        assert (await server.ask("{ bot(botId: 1) { name } }", trader["authorization"][7:]))["data"]["bot"]


PARSE, VALIDATION, INPUT = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"


async def test_invalid_request_names_its_fault(server: Server, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("{", {}, PARSE),
        ("", {}, PARSE),
        ("#", {}, PARSE),
        ("{ me { uid } } }", {}, PARSE),
        ("{ nothing }", {}, VALIDATION),
        ("{ me { uid(x: 1) } }", {}, VALIDATION),
        ("{ me }", {}, VALIDATION),
        ('{ bot(botId: "x") { name } }', {}, VALIDATION),
        ("{ service(name: NOTHING) { state } }", {}, VALIDATION),
        ("query ($id: Int!) { bot(botId: $id) { name } }", {"id": "x"}, INPUT),
        ("query ($id: Int!) { bot(botId: $id) { name } }", {"id": 2**40}, INPUT),
        ("query ($id: Int!) { bot(botId: $id) { name } }", {}, INPUT),
        ("query ($id: Int!) { bot(botId: $id) { name } }", {"id": None}, INPUT),
        ("query ($id: Int = 1) { bot(botId: $id) { name } }", {"id": None}, INPUT),
        ("query ($n: ServiceName!) { service(name: $n) { state } }", {"n": "NOTHING"}, INPUT),
        ("query A { me { uid } } query B { me { uid } }", {}, INPUT),
        ('subscription { ticker(exchange: 1, symbol: "A") { price } }', {}, VALIDATION),
    ]
    for query, variables, code in cases:
        response = await server.post(query, trader, **variables)
        assert {one["code"] for one in extensions(response)} == {code}, (query, response.text)
        assert all("Internal" not in error["message"] for error in errors(response))


async def test_body_without_an_operation_is_refused(server: Server) -> None:
    bodies: list[Any] = [b"{", b"", b"[]", b"null", b"7", b'{"query": 7}', b'{"query": "{ me }", "variables": []}',
                         b'{"variables": {}}', b"\xff", b'{"query": "{ me }", "variables": {"a": "\\ud800"}}', b'{"query": "{ me { uid } }", "operationName": "X"}']  # fmt: skip
    async with httpx.AsyncClient(
        base_url=server.url, headers={"content-type": "application/json"}, timeout=60
    ) as client:
        for body in bodies:
            response = await client.post("/graphql", content=body)
            assert response.status_code == (200 if b"operationName" in body else 400), body
            assert [one["code"] for one in extensions(response)] == [INPUT], body


async def test_impossible_names_are_not_found(server: Server, sign_in: SignIn) -> None:
    for odd in ("a\0b", "x" * 5000, "'; --", "%", ""):
        await _check_absent(server, bearer(await sign_in(TRADER)), odd)


async def _check_absent(server: Server, trader: dict[str, str], odd: str) -> None:
    names = "query ($odd: String!) "
    symbol = await server.post(names + '{ symbol(exchange: "kraken", symbol: $odd) { base } }', trader, odd=odd)
    assert symbol.json() == {"data": {"symbol": None}}
    bars = "{ candles(exchange: $odd, symbol: $odd, timeframe: M1, last: 1) { open } }"
    assert [one["code"] for one in extensions(await server.post(names + bars, trader, odd=odd))] == ["NOT_FOUND"]
    ticker = await server.post(names + "{ ticker(exchange: $odd, symbol: $odd) { price } }", trader, odd=odd)
    assert ticker.json() == {"data": {"ticker": None}}
    login = "{ login(mail: $odd, password: $odd) { accessToken } }"
    answer = await server.post(f"mutation ($odd: String!) {login}", odd=odd)
    assert [one["code"] for one in extensions(answer)] == ["UNAUTHENTICATED"]


async def test_unserializable_value_is_internal(server: Server, sign_in: SignIn, platform: Database) -> None:
    async with platform.transaction() as connection:
        await connection.execute(text("UPDATE orders SET price = 'NaN', side = 'hold' WHERE order_id = 1"))
    answer = await server.post("{ order(orderId: 1) { orderId price } }", bearer(await sign_in(TRADER)))
    assert answer.json()["data"] == {"order": {"orderId": 1, "price": None}}
    assert [one["code"] for one in extensions(answer)] == ["INTERNAL"]
    answer = await server.post("{ order(orderId: 1) { side } }", bearer(await sign_in(TRADER)))
    assert [one["code"] for one in extensions(answer)] == ["INTERNAL"]
    assert "HOLD" not in answer.text.upper()


async def test_malformed_redis_values_are_left_out(server: Server, sign_in: SignIn, redis: Any) -> None:
    await redis.hset(keys.tickers("kraken"), mapping={"GOLD": "no JSON", "A": "[]", "B": '{"price": "NaN", "time": 1}'})
    answer = await server.ask('{ tickers(exchange: "kraken") { price } }', await sign_in(TRADER))
    assert answer == {"data": {"tickers": []}}
