"""Every column and every type has an access rule, and no answer violates one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from hypothesis import HealthCheck, given, settings
from redis.asyncio import Redis
from sqlalchemy import ColumnClause, Double, Table, Text, cast, func, literal, update
from sqlalchemy.sql.visitors import iterate

from fullon_graphql import models
from fullon_graphql.auth.principal import Anonymous, Caller, Principal, Scope
from fullon_graphql.cache import account_status, accounts, keys
from fullon_graphql.cache.account_status import AccountState, AccountStatus
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.context import Context
from fullon_graphql.database import Database
from fullon_graphql.engine.model.entities import Entity, entity_of
from fullon_graphql.engine.operations import OperationExecutor, Request
from fullon_graphql.engine.trace import Trace
from fullon_graphql.graph import ENTITIES, make_graph
from fullon_graphql.models import Base
from fullon_graphql.models.base import is_secret
from tests.engine.operations import Operation, is_leaf, operations
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER

SCHEMA = make_graph().core
OPERATIONS = OperationExecutor(SCHEMA)
REFERENCE = OperationExecutor(SCHEMA, planning=False)

LEFT_OUT = {
    "bot_exchanges": "the link between bots and accounts: Bot.exchanges and Exchange.bots",
    "cat_exchanges.ohlcv_view": "SQL of older installations, of no use to clients",
    "cat_exchanges_params.value": "read by a rule of its own, for administrators: CatExchangeParam.value",
}
"""Tables and columns of the platform that no entity exposes, with the reason."""

SHARED = {"CatExchange", "CatExchangeParam", "Symbol", "CatStrategy", "CatStrategyParam"}
"""Entities whose rows are visible to every signed-in user."""
ADMINISTRATIVE = {"AuditEntry"}
"""Entities whose rows are visible to administrators only."""
OWNED = {
    "User": models.User.uid == OTHER,
    "Session": models.Session.uid == OTHER,
    "ApiKey": models.ApiKey.uid == OTHER,
    "Bot": models.Bot.uid == OTHER,
    "BotLog": models.BotLog.bot_id == 6,
    "Simulation": models.Simulation.bot_id == 6,
    "Strategy": models.Strategy.bot_id == 6,
    "StrategyParam": models.StrategyParam.str_id == 61,
    "Feed": models.Feed.str_id == 61,
    "Order": models.Order.uid == OTHER,
    "Trade": models.Trade.uid == OTHER,
    "DryTrade": models.DryTrade.uid == OTHER,
    "Exchange": models.Exchange.uid == OTHER,
    "ExchangeHistory": models.ExchangeHistory.user_id == OTHER,
    "AlertRule": models.AlertRule.uid == OTHER,
    "AlertEvent": models.AlertEvent.uid == OTHER,
    "Webhook": models.Webhook.uid == OTHER,
    "WebhookDelivery": models.WebhookDelivery.webhook_id == 31,
}
"""Entities whose rows are visible to their owner; the condition selects the other trader's rows without using the rule."""
RULES = {
    "everybody's": [
        "Ticker", "Candle", "CandleColumns", "CandleUpdate", "CandleCoverage", "CandleGap", "MarketFeedStatus",
    ],
    "administrators'": ["Service", "Process", "SystemHealth", "Tally"],
    "of rows one sees": ["TradingState", "TradingHalt", "HaltSwitch", "BlockedInstrument", "PageInfo", "AccountStatus", "Balance", "Position", "LiveOrder", "Claim", "BotStatus"],
    "events of rows one sees": ["OrderEvent", "TradeEvent", "DryTradeEvent", "BotLogEvent", "AuditEvent", "AlertStreamEvent"],
    "numbers over rows one sees": [
        "TradeStatistics", "SymbolStatistics", "OrderStatistics", "StatusCount", "BotDashboard", "TradingOverview",
        "PerformanceMetrics", "RiskMetrics", "PortfolioStats", "AssetAllocation", "UserSummary",
        "Results", "ResultGroup", "EquityCurve",
    ],
    "of who makes it, and once": ["AuthPayload", "CreatedApiKey", "TotpEnrolment", "WebhookWithSecret"],
    "of who makes it": ["Credential"],
}  # fmt: skip
"""Access rules of the types that are not entities."""


def test_every_platform_column_is_exposed_or_listed_as_left_out() -> None:
    shown = {column for type_ in ENTITIES for column in columns_of(entity_of(type_))}
    tables = [table for table in Base.metadata.sorted_tables if table.schema is None]
    forgotten = {
        str(column)
        for table in tables
        for column in table.columns
        if column not in shown and not is_secret(column) and not {table.name, str(column)} & LEFT_OUT.keys()
    }
    assert forgotten == set()
    assert {name for name in LEFT_OUT if name in map(str, shown)} == set()


def test_no_secret_column_is_part_of_any_type() -> None:
    secret = {column for table in Base.metadata.sorted_tables for column in table.columns if is_secret(column)}
    assert {str(column) for column in secret} >= {"users.password", "users.f2a", "api_keys.key"}
    assert [column for type_ in ENTITIES for column in columns_of(entity_of(type_)) if column in secret] == []


def test_every_type_has_an_access_rule() -> None:
    entities = {type_.__name__ for type_ in ENTITIES}
    assert entities == SHARED | ADMINISTRATIVE | OWNED.keys()
    lists = {f"{name}{part}" for name in entities for part in ("Connection", "Edge")}
    ruled = {name for names in RULES.values() for name in names}
    known = entities | lists | ruled | {"Query", "Mutation", "Subscription", "_Service"}
    types = {name for name, type_ in SCHEMA.type_map.items() if isinstance(type_, GraphQLObjectType)}
    without = {name for name in types - known if not name.startswith("__")}
    assert without == set()
    assert ruled <= types


def columns_of(entity: Entity) -> set[Any]:
    """The columns of its own table that an entity's fields are read from."""
    columns = entity.table.__table__.columns
    parts = (part for expression in entity.columns.values() for part in iterate(coerced(expression)))
    return {columns[part.key] for part in parts if isinstance(part, ColumnClause) and part.key in columns}


def coerced(expression: Any) -> Any:
    """The expression behind a mapped attribute."""
    return expression.__clause_element__() if hasattr(expression, "__clause_element__") else expression


# ---------------------------------------------------------------- answers

FOREIGN, SECRET, SETTING = "Ωf", "Ωs", "Ωv"
"""A marker in every text of the other trader's rows, in every secret and in the settings of exchanges."""
FOREIGN_NUMBER = 98765.4375

SPELLED = {"side", "role", "scopes", "state", "outcome", "condition", "direction"}
"""Text columns with a closed set of values."""


async def mark(database: Database) -> None:
    """Mark the other trader's rows and all secrets."""
    async with database.transaction() as connection:
        for type_ in ENTITIES:
            entity = entity_of(type_)
            if (foreign := OWNED.get(entity.name)) is not None:
                await connection.execute(update(entity.table).where(foreign).values(foreign_values(entity)))
        for table in Base.metadata.sorted_tables:
            secrets = [column for column in table.columns if is_secret(column)]
            if secrets and table.schema is None and table.primary_key:
                values = {column: secret(table) for column in secrets}
                await connection.execute(update(table).values(values))
        await connection.execute(update(models.CatExchangeParam).values(value=SETTING))


def foreign_values(entity: Entity) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    for column in entity.table.__table__.columns:
        if column.foreign_keys or column.primary_key or column.name in SPELLED or is_secret(column):
            continue
        if isinstance(column.type, Double):
            values[column] = literal(FOREIGN_NUMBER)
        elif column.type.python_type is str:
            values[column] = func.concat(func.left(column, 3), FOREIGN)
    return values


def secret(table: Table) -> Any:
    return func.concat(SECRET, cast(next(iter(table.primary_key)), Text))


async def mark_redis(redis: Redis) -> None:
    await accounts.write(redis, {30: [Balance(30, FOREIGN, 1, 1, 0)]}, {30: [Position(30, FOREIGN, 1, 1, 1)]})
    status = AccountStatus(30, AccountState.DOWN, None, None, None, 1, FOREIGN, datetime.now(UTC))
    await account_status.write(redis, [status])
    await redis.hset(keys.BOT_STATUS, "6", orjson.dumps({"0": {"status": FOREIGN}}).decode())
    await redis.hset(keys.BLOCKED_EXCHANGES, f"30:{FOREIGN}", "6")
    await redis.hset(keys.OPENING_POSITIONS, f"30:{FOREIGN}", "6:2026-01-01T12:00:00+00:00")
    for place in (30, "kraken"):
        await redis.hset(keys.order_status(place), "X", orjson.dumps({"ex_id": 30, "symbol": FOREIGN}).decode())


@pytest.fixture
async def marked(platform: Database, redis: Redis) -> None:
    await mark(platform)
    await mark_redis(redis)


ADMINISTRATOR = principal(ADMIN, admin=True)
STRANGERS: dict[str, Caller] = {
    "anonymous": Anonymous(),
    "deactivated": Anonymous("The account of this API key is not active."),
    "trader": principal(TRADER),
    "read-only key": Principal(TRADER, "user2@fullon", False, "api_key:1", None, frozenset({Scope.READ})),
    "write-only key": Principal(TRADER, "user2@fullon", False, "api_key:2", None, frozenset({Scope.WRITE})),
    "administrator's read-only key": Principal(ADMIN, "a@b", True, "api_key:3", None, frozenset({Scope.READ})),
}
"""Callers who may not see rows of the other trader."""


async def answer(
    graph: GraphClient,
    text: str,
    caller: Caller,
    variables: dict[str, Any] | None = None,
    run: OperationExecutor = OPERATIONS,
) -> str:
    request, context = Request(text, variables=variables or {}), Context(graph.worker, caller=caller)
    return (await run.run(request, context, Trace())).body.decode()


def betrayed(body: str) -> list[str]:
    """The values of another user and the secrets in an answer."""
    return [mark for mark in (FOREIGN, SECRET, SETTING, str(FOREIGN_NUMBER)) if mark in body]


QUERY = SCHEMA.query_type
assert QUERY is not None
ROOTS = {name: field for name, field in QUERY.fields.items() if not name.startswith("_")}


@pytest.mark.usefixtures("marked")
async def test_no_path_through_the_graph_reaches_a_foreign_row_or_a_secret(graph: GraphClient) -> None:
    for root in ROOTS:
        for name in ("anonymous", "trader", "administrator's read-only key"):
            body = await answer(graph, walk(root), STRANGERS[name], run=REFERENCE)
            assert betrayed(body) == [], f"{name}: {root}"


@pytest.mark.usefixtures("marked")
async def test_owner_and_administrators_reach_the_same_rows_and_no_secret(graph: GraphClient) -> None:
    """Checks that the marked rows are reachable at all."""
    for root in ("bots", "exchanges", "trades", "dryTrades", "strategies", "feeds", "botLogs", "exchangeHistory",
                 "simulations", "sessions", "apiKeys", "users", "orders", "webhooks", "alertRules", "alertEvents"):  # fmt: skip
        text = walk(root, depth=1)
        for caller in (principal(OTHER), ADMINISTRATOR):
            body = await answer(graph, text.replace("first: 3", "last: 3"), caller)
            assert FOREIGN in body, text
            assert SECRET not in body, text


@pytest.mark.usefixtures("marked")
async def test_exchange_settings_require_admin(graph: GraphClient) -> None:
    text = "{ catExchanges { params { name value } } }"
    assert SETTING in await answer(graph, text, ADMINISTRATOR)
    assert '"value":null' in (await answer(graph, text, principal(TRADER))).replace(" ", "")


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("marked")
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(operation=operations(SCHEMA))
async def test_no_drawn_operation_returns_a_foreign_row_or_a_secret(graph: GraphClient, operation: Operation) -> None:
    for name, caller in STRANGERS.items():
        body = await answer(graph, operation.text, caller, operation.variables)
        assert betrayed(body) == [], f"{name}: {operation.text}"


ARGUMENTS = {
    "first": "3", "botId": "6", "orderId": "41", "uid": "3", "tradeId": "101", "strId": "61", "catStrId": "1",
    "feedId": "61", "num": "61", "exId": "30", "catExId": "1", "apiKeyId": "31", "ruleId": "31", "webhookId": "31", "exchange": '"kraken"',
    "kind": "LIVE", "currency": '"USD"', "capital": "1000", "symbol": '"BTC/USD"', "timeframe": "H1", "period": "DAY", "resolution": "D1", "last": "3", "id": '"?"', "ids": "[]", "name": "TICKER",
}  # fmt: skip
"""Arguments that refer to rows of the other trader."""


def walk(root: str, depth: int = 4) -> str:
    """A root field and everything reachable from it: each type once with all its fields, elsewhere with its leaves."""
    field = ROOTS[root]
    return f"{{ {root}{arguments(field)}{below(field, depth, set())} }}"


def below(field: GraphQLField, depth: int, seen: set[str]) -> str:
    type_ = get_named_type(field.type)
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return "" if is_leaf(field) else " { __typename }"
    if type_.name.endswith("Connection"):
        return f" {{ totalCount nodes{below(type_.fields['nodes'], depth, seen)} }}"
    return f" {{ {selection(type_, depth, seen)} }}"


def selection(type_: GraphQLObjectType | GraphQLInterfaceType, depth: int, seen: set[str]) -> str:
    parts = ["__typename", *(name for name, field in type_.fields.items() if is_leaf(field))]
    if depth > 1 and type_.name not in seen:
        seen.add(type_.name)
        parts += [
            f"{name}{arguments(field)}{below(field, depth - 1, seen)}"
            for name, field in type_.fields.items()
            if not is_leaf(field)
        ]
    return " ".join(parts)


def arguments(field: GraphQLField) -> str:
    given_ = [
        f"{name}: {ARGUMENTS[name]}"
        for name, argument in field.args.items()
        if isinstance(argument.type, GraphQLNonNull)
        or name == "first"
        or (name == "last" and "first" not in field.args)
    ]
    return f"({', '.join(given_)})" if given_ else ""
