"""Operations: plans, fallbacks to the reference and their reasons, and explanations."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from structlog.testing import capture_logs

from fullon_graphql.auth.principal import Anonymous, Caller, Principal
from fullon_graphql.cache import tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.documents import MAX_ERRORS
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.planned import plans
from tests.engine.planning import run
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import OTHER, TRADER

pytestmark = pytest.mark.usefixtures("platform")

BOT = "{ bot(botId: 2) { name } }"


def limited(*scopes: str) -> Principal:
    """The trader with a key that has these scopes only."""
    return replace(principal(TRADER), credential="api_key:1", scopes=frozenset(scopes))


@pytest.mark.parametrize(
    ("caller", "query", "fallback", "reason"),
    [
        (principal(TRADER), BOT, None, None),
        (principal(OTHER), BOT, None, None),
        (principal(TRADER), '{ node(id: "x") { id } }', None, None),
        (limited("bots:read"), BOT, None, None),
        (limited("users:read"), BOT, "caller", "a table is closed to the caller"),
        (limited("bots:write"), BOT, "error", "FORBIDDEN is for the reference to report"),
        (Anonymous(), BOT, "caller", "the caller is anonymous"),
        (principal(TRADER), "mutation { logout }", "operation", "a mutation"),
        (principal(TRADER), "{ __schema { queryType { name } } me { uid } }", "operation", "Query.__schema belongs to introspection"),
        (principal(TRADER), "{ bots(first: -1) { totalCount } }", "error", "BAD_USER_INPUT is for the reference to report"),
        (principal(TRADER), "{ services { name } }", "error", "FORBIDDEN is for the reference to report"),
    ],
)  # fmt: skip
async def test_fallback_to_the_reference_has_a_reason(
    graph: GraphClient, caller: Caller, query: str, fallback: str | None, reason: str | None
) -> None:
    trace, _ = await run(graph.as_(caller), query)
    assert (trace.fallback, trace.reason) == (fallback, reason)
    assert trace.executed("reference") is (fallback is not None)


async def test_table_that_is_closed_to_the_caller_is_found_once(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core)
    traces = [(await run(graph.as_(limited("users:read")), BOT, operations))[0] for _ in range(2)]
    assert [trace.executed("compile") for trace in traces] == [True, False]
    assert {trace.fallback for trace in traces} == {"caller"}


async def test_failing_plan_is_logged_and_the_reference_answers(
    graph: GraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError("a bug in the planner")

    monkeypatch.setattr(plans, "variant", broken)
    with capture_logs() as logged:
        trace, answer = await run(graph.as_(principal(TRADER)), BOT)
    assert answer == {"data": {"bot": {"name": "bot 2"}}}
    assert (trace.fallback, trace.reason) == ("failure", "ZeroDivisionError while executing the plan")
    assert [entry["event"] for entry in logged] == ["plan.failed"]


async def test_failure_of_both_executions_is_logged_once(graph: GraphClient, platform: Database) -> None:
    async with platform.transaction() as connection:
        await connection.execute(text("ALTER TABLE bots RENAME COLUMN active TO motive"))
    try:
        with capture_logs() as logged:
            _, answer = await run(graph.as_(principal(TRADER)), "{ bot(botId: 2) { active } }")
    finally:
        async with platform.transaction() as connection:
            await connection.execute(text("ALTER TABLE bots RENAME COLUMN motive TO active"))
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert [entry["event"] for entry in logged] == ["operation.failed"]


async def test_each_variant_of_an_operation_is_planned_once(graph: GraphClient) -> None:
    operations, planned = OperationExecutor(graph.graph.core), []
    query = "query ($more: Boolean!) { bots(first: 1) { nodes { name botId @include(if: $more) } } }"
    for more in (True, False, True, False):
        trace, answer = await run(graph.as_(principal(TRADER)), query, operations, more=more)
        planned.append(trace.executed("plan"))
        assert ("botId" in answer["data"]["bots"]["nodes"][0]) is more
    assert planned == [True, True, False, False]


async def test_operations_of_one_document_have_plans_of_their_own(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core)
    document = "query A { bot(botId: 1) { name } } query B { bot(botId: 2) { name } }"
    for name, expected in (("A", "bot 1"), ("B", "bot 2"), ("A", "bot 1")):
        context = Context(graph.worker, caller=principal(TRADER))
        response = await operations.run(Request(document, operation_name=name), context)
        assert orjson.loads(response.body)["data"]["bot"]["name"] == expected


async def test_refused_operation_is_not_executed(graph: GraphClient) -> None:
    operations = OperationExecutor(graph.graph.core)
    wrong = "query ($id: Int!) { bot(botId: $id) { name } }"
    for request in (
        Request("{"), Request("{ nothing }"), Request(""), Request(BOT, operation_name="X"), Request(wrong),
        Request("subscription { ticker(exchange: \"x\", symbol: \"y\") { price } }"),
        Request("mutation { logout }", read_only=True),
    ):  # fmt: skip
        response = await operations.run(request, Context(graph.worker, caller=principal(TRADER)), explain=True)
        assert not response.executed
        assert list(orjson.loads(response.body)) == ["errors"]
        assert response.not_allowed is request.read_only


async def test_errors_of_variables_are_limited(graph: GraphClient) -> None:
    count = MAX_ERRORS + 20
    names = [f"$v{number}: Int!" for number in range(count)]
    fields = [f"a{number}: bot(botId: $v{number}) {{ name }}" for number in range(count)]
    _, answer = await run(graph, f"query ({', '.join(names)}) {{ {' '.join(fields)} }}")
    assert len(answer["errors"]) == MAX_ERRORS + 1
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


EXPLAINED = (
    '{ orders(first: 2) { nodes { ticker { price instrument { base } } } } tickers(exchange: "kraken") { price } }'
)


async def explained(graph: GraphClient, operations: OperationExecutor, query: str) -> Any:
    response = await operations.run(Request(query), Context(graph.worker, caller=graph.caller), explain=True)
    return orjson.loads(response.body)["extensions"]["explain"]


async def test_explanation_has_every_step_with_its_sql_and_redis_commands(graph: GraphClient, redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "BTC/USD", 101, 1)])
    operations, trader = OperationExecutor(graph.graph.core), graph.as_(principal(TRADER))
    report = await explained(trader, operations, EXPLAINED)
    assert (report["execution"], report["reason"]) == ("plan", None)
    assert [(step["kind"], step["name"]) for step in report["steps"]] == [
        ("parse", ""), ("validate", ""), ("plan", ""), ("compile", "orders"), ("statement", "orders"),
        ("batch", "ticker"), ("compile", "instrument"), ("statement", "instrument"),
        ("resolve", "tickers"), ("write", "tickers"),
    ]  # fmt: skip
    assert all(step["milliseconds"] >= 0 for step in report["steps"])
    steps = {(step["kind"], step["name"]): step for step in report["steps"]}
    assert steps["statement", "orders"]["sql"].startswith("SELECT")
    assert steps["statement", "orders"]["characters"] > 0
    assert steps["statement", "instrument"]["rows"] == 1
    batch = steps["batch", "ticker"]
    assert (batch["keys"], batch["loader"]) == (1, "fullon_graphql.services.live.tickers_of_instruments")
    assert batch["redis"] == ["HMGET tickers:kraken"]
    assert steps["resolve", "tickers"]["redis"] == ["HGETALL tickers:kraken"]


async def test_explanation_shows_how_many_requests_a_list_has_answered(graph: GraphClient) -> None:
    operations, trader = OperationExecutor(graph.graph.core), graph.as_(principal(TRADER))
    query = "{ orders(first: 2) { nodes { orderId } } }"
    await explained(trader, operations, query)
    reports = await asyncio.gather(*(explained(trader, operations, query) for _ in range(5)))
    requests = [step["requests"] for report in reports for step in report["steps"] if step["kind"] == "statement"]
    assert requests == [1, 4, 4, 4, 4]


async def test_explanation_names_what_was_remembered(graph: GraphClient) -> None:
    operations, trader = OperationExecutor(graph.graph.core), graph.as_(principal(TRADER))
    first, second = [await explained(trader, operations, EXPLAINED) for _ in range(2)]
    assert first["remembered"] == {"document": False, "plan": False}
    assert second["remembered"] == {"document": True, "plan": True}


async def test_explanation_of_the_reference_has_a_reason(graph: GraphClient) -> None:
    query = '{ node(id: "x") { id } __schema { queryType { name } } bots { totalCount } }'
    report = await explained(graph.as_(principal(OTHER)), OperationExecutor(graph.graph.core), query)
    assert (report["execution"], report["reason"]) == ("reference", "Query.__schema belongs to introspection")
    assert report["steps"][-1]["kind"] == "reference"
    assert {sql.split()[0] for sql in report["steps"][-1]["statements"]} == {"SELECT"}


async def test_explanation_contains_the_sql_of_other_stores(graph: GraphClient) -> None:
    query = '{ candles(exchange: "kraken", symbol: "BTC/USD", timeframe: M1, last: 1) { close } }'
    report = await explained(graph.as_(principal(TRADER)), OperationExecutor(graph.graph.core), query)
    [resolved] = [step for step in report["steps"] if step["kind"] == "resolve"]
    assert any("pg_class" in sql for sql in resolved["statements"])  # looks up the tables of the candle store


async def test_explanation_contains_no_values(graph: GraphClient) -> None:
    query = "query ($mail: String!, $secret: String!) { login(mail: $mail, password: $secret) { accessToken } }"
    operations = OperationExecutor(graph.graph.core)
    login = Request(query.replace("query", "mutation", 1), variables={"mail": "user2@fullon", "secret": "a-secret"})
    response = await operations.run(login, Context(graph.worker), explain=True)
    shown = orjson.loads(response.body)["extensions"]["explain"]
    assert shown["reason"] in {"a mutation", "the caller is anonymous"}
    assert "a-secret" not in str(shown)


async def test_response_is_not_explained_unless_requested(graph: GraphClient) -> None:
    for query in (BOT, "{ services { name } }"):
        _, answer = await run(graph.as_(principal(TRADER)), query)
        assert "extensions" not in answer
