"""The law of the engine: for every operation and every caller, a plan answers as the reference does.

`DIFFERENTIAL_EXAMPLES` says how many operations are drawn; `make differential` draws many thousands.
"""

from __future__ import annotations

import asyncio
import os
import re
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from fullon_graphql import models
from fullon_graphql.auth.principal import Anonymous, Caller, Principal, Scope
from fullon_graphql.cache import accounts, tickers
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.database.shared_reads import MOST_SECONDS
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import make_graph
from fullon_graphql.ohlcv.candles import Candle
from fullon_graphql.ohlcv.timeframes import Timeframe
from fullon_graphql.ohlcv.writer import StoredTrade, create_candles, create_trades, insert_trades, upsert_candles
from fullon_graphql.services.access import SCOPES
from tests.engine.one_of import one_of_schema
from tests.engine.operations import Operation, in_order, operations
from tests.engine.planning import add_invalid, add_strangers, changes_settled
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order

SCHEMA = make_graph().core
PLANNED, REFERENCE = OperationExecutor(SCHEMA), OperationExecutor(SCHEMA, planning=False)
ONE_OF = one_of_schema()

CALLERS: list[Caller] = [
    *[principal(TRADER)] * 6,
    *[principal(ADMIN, admin=True)] * 2,
    principal(OTHER),
    principal(ADMIN, admin=True),
    Principal(ADMIN, "read-only admin", True, "api_key:1", None, frozenset({Scope.READ})),
    Principal(TRADER, "write-only key", False, "api_key:2", None, frozenset({Scope.WRITE})),
    Anonymous(),
]
FINE = frozenset(scope for scope in SCOPES if scope.endswith(":read"))
LIMITED: st.SearchStrategy[Caller] = st.builds(
    lambda missing, is_admin: Principal(
        ADMIN if is_admin else TRADER,
        "limited key",
        is_admin,
        "api_key:3",
        None,
        FINE - missing | ({Scope.ADMIN} if is_admin else set()),
    ),
    st.frozensets(st.sampled_from(sorted(FINE)), max_size=3),
    st.booleans(),
)
"""Callers with keys that lack a few of the finer scopes."""
ANY_CALLER = st.sampled_from(CALLERS) | LIMITED


@pytest.fixture
async def world(platform: Database, redis: Redis, ohlcv_database: Database) -> None:
    """Rows of every entity, including invalid ones."""
    await add(platform, models.Order, order(60, 77, OTHER, side="hold", price=None, symbol="gone"))
    await add(platform, models.Order, order(61, 6, OTHER, volume=float("nan"), ex_order_id='"\\u0001\n'))
    await add_strangers(platform)
    await add_invalid(platform)
    await changes_settled(platform)
    await tickers.write(
        redis, [Ticker("kraken", "BTC/USD", 101, 10.25, bid=100.5, ask=101), Ticker("kraken", "GOLD", 7, 1)]
    )
    await accounts.write(
        redis,
        {20: [Balance(20, "USD", 10, 7, 3)]},
        {20: [Position(20, "BTC/USD", -2, 200, 100), Position(20, "x", 0, 0, 0)]},
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = [start + timedelta(minutes=n) for n in (0, 1, 2, 5, 6, 13)]
    async with ohlcv_database.transaction() as connection:
        await create_candles(connection, "kraken", "BTC/USD")
        await create_trades(connection, "kraken", "BTC/USD")
        trades = [StoredTrade(time, 0.1, 0.3, side, side) for time in minutes[1:5] for side in ("buy", "sell")]
        await insert_trades(connection, "kraken", "BTC/USD", trades)
        await upsert_candles(
            connection, "kraken", "BTC/USD", [Candle(time, 1, 3, 0.5, 2, 0.1) for time in minutes], Timeframe.M1
        )


# graphql-core leaves coroutines unawaited if an error of a sibling has determined the response.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("world")
@settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(operation=operations(SCHEMA), callers=st.lists(ANY_CALLER, min_size=1, max_size=2))
async def test_both_executions_give_the_same_response_to_any_operation(
    graph: GraphClient, operation: Operation, callers: list[Caller]
) -> None:
    request = Request(operation.text, variables=operation.variables, cost=True)
    for caller in callers:  # later callers use plans that earlier ones created
        await _check(graph, request, caller)


@settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(operation=operations(ONE_OF))
async def test_both_executions_read_the_same_one_of_inputs(graph: GraphClient, operation: Operation) -> None:
    executions = OperationExecutor(ONE_OF), OperationExecutor(ONE_OF, planning=False)
    await _check(graph, Request(operation.text, variables=operation.variables), principal(TRADER), executions)


async def _check(
    graph: GraphClient,
    request: Request,
    caller: Caller,
    executions: tuple[OperationExecutor, OperationExecutor] = (PLANNED, REFERENCE),
) -> None:
    trace = Trace()
    planned, reference = [
        orjson.loads((await run.run(request, Context(graph.worker, caller=caller, request_id="same"), into)).body)
        for run, into in zip(executions, (trace, Trace()), strict=True)
    ]
    planned_cost, reference_cost = (
        response.pop("extensions", {"cost": None})["cost"] for response in (planned, reference)
    )
    by_plan = trace.fallback is None
    assert trace.failure is None or "errors" in reference, trace.failure
    event("answered by a plan" if by_plan else "left to the reference")
    event("reports errors" if "errors" in reference else "reports none")
    assert in_order(planned.get("data")) == in_order(reference.get("data"))
    if by_plan:  # otherwise it is undefined which of several errors explains a null
        assert planned == reference
        assert planned_cost is None or planned_cost["actual"] == reference_cost["actual"]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("world")
@settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150")) // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    drawn=st.lists(operations(SCHEMA), min_size=1, max_size=2),
    callers=st.lists(ANY_CALLER, min_size=3, max_size=6),
)
async def test_concurrent_requests_get_the_responses_they_get_alone(
    graph: GraphClient, drawn: list[Operation], callers: list[Caller]
) -> None:
    async def response(operation: Operation, caller: Caller) -> object:
        request = Request(operation.text, variables=operation.variables)
        context = Context(graph.worker, caller=caller, request_id="same")
        return in_order(orjson.loads((await PLANNED.run(request, context, Trace())).body).get("data"))

    asked = [(operation, caller) for caller in callers for operation in drawn] * 2
    alone = [await response(*each) for each in asked]
    assert await asyncio.gather(*(response(*each) for each in asked)) == alone


LISTS: Final = (
    "{ bots(first: 2) { nodes { name orders(first: 1) { nodes { bot { name } } } } } }",
    "query Same { bots(first: 2) { nodes { name orders(first: 1) { nodes { bot { name } } } } } }",
    "{ bots(last: 3) { nodes { name } } }",
    "{ bots(first: 9, filter: {botId: {in: [1, 2, 3]}}) { nodes { name } } }",
    "{ bot(botId: 1) { name bots: orders(first: 1) { nodes { bot { name } } } } }",
)
"""Lists and trees in which every value is the name of a bot."""
WRITE: Final = "write"
NEXT: Final = "the next statement"
"""Requests that wait for a statement begin another one."""
_numbers = count(1)


@settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150")) // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(LISTS), st.sampled_from([TRADER, TRADER, OTHER])) | st.sampled_from([WRITE, NEXT]),
        min_size=5,
        max_size=20,
    )
)
@example(steps=[(LISTS[0], TRADER), NEXT, WRITE, (LISTS[0], TRADER), (LISTS[1], TRADER), WRITE, (LISTS[0], OTHER)])
@example(steps=[(LISTS[0], TRADER), (LISTS[0], TRADER), NEXT, WRITE, (LISTS[0], TRADER)])
async def test_concurrent_lists_have_every_earlier_write(
    graph: GraphClient, platform: Database, steps: list[tuple[str, int] | str]
) -> None:
    """All bots are renamed at once. Answers arrive late, so that requests and writes come during a statement."""
    read = graph.worker.database._driver.run
    newest = 0

    async def late(*statement: Any) -> Any:
        found = await read(*statement)
        await asyncio.sleep(0.02)
        return found

    async def rename() -> int:
        number = next(_numbers)
        async with platform.transaction() as connection:
            await connection.exec_driver_sql(f"UPDATE bots SET name = uid || ' {number}'")
        return number

    async def check(text: str, uid: int, started: int) -> None:
        context = Context(graph.worker, caller=principal(uid), request_id="same")
        trace = Trace()
        body = (await PLANNED.run(Request(text), context, trace)).body
        assert trace.fallback is None
        names = set(re.findall(rb'"name":"(\d+) (\d+)"', body))
        assert all(int(owner) == uid and int(number) >= started for owner, number in names)
        assert len(names) <= 1, "a statement has one snapshot"
        assert names or uid != TRADER

    newest = await rename()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph.worker.database._driver, "run", late)
        running = []
        for step in steps:
            if step == WRITE:
                newest = await rename()
            elif step == NEXT:
                await asyncio.sleep(1.2 * MOST_SECONDS)
            elif isinstance(step, tuple):
                running.append(asyncio.create_task(check(*step, newest)))
                await asyncio.sleep(0)
        await asyncio.gather(*running)


@pytest.mark.usefixtures("world")
async def test_invalid_values_deep_in_a_tree_fall_back(graph: GraphClient) -> None:
    """Unknown enum values, numbers without a JSON form, and missing rows."""
    for text in (
        "{ orders(last: 3) { nodes { side } } }",
        "{ bots(first: 1) { nodes { orders(last: 1) { nodes { volume } } } } }",
        "{ order(orderId: 60) { side bot { name } instrument { base } } }",
    ):
        trace = Trace()
        context = Context(graph.worker, caller=principal(OTHER), request_id="same")
        answer = orjson.loads((await OperationExecutor(SCHEMA).run(Request(text), context, trace)).body)
        assert trace.fallback == "value"
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
