"""Reading routes are dispatched past FastAPI, and answer as FastAPI would."""

from __future__ import annotations

from typing import Any

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from fullon_graphql.app import framework_application
from fullon_graphql.config import Settings
from fullon_graphql.context import Worker
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.rest.aliases import PlatformPaths
from fullon_graphql.rest.dispatch import ReadDispatcher
from fullon_graphql.rest.health import HealthChecks
from fullon_graphql.server.request_middleware import RequestMiddleware
from fullon_graphql.streaming.connections import ConnectionRegistry
from tests.fixtures.rest import Rest, RestClient
from tests.fixtures.rows import TRADER

REQUESTS = [
    ("GET", "/api/v1/orm/bots/1"),
    ("GET", "/api/v1/orm/bots/1/"),
    ("GET", "/api/orm/bots?limit=1&offset=1"),
    ("GET", "/api/v1/orm/bots/99999"),
    ("GET", "/api/v1/orm/bots/one"),
    ("GET", "/api/v1/orm/bots?limit=0&offset=-1"),
    ("GET", "/api/v1/orm/orders/by-bot"),
    ("GET", "/api/v1/orm/orders?limit=0"),
    ("GET", "/api/v1/cache/trades/queue/status"),
    ("GET", "/api/v1/ohlcv/candles/kraken/BTC%2FUSD/1m?limit=x"),
    ("GET", "/api/v1/services"),
    ("GET", "/api/v1/nothing"),
    ("PUT", "/api/v1/orm/bots"),
]


async def test_dispatched_routes_answer_as_fastapi(rest: Rest, settings: Settings) -> None:
    trader = await rest.as_(TRADER)
    fastapi_only = _fastapi_only(settings, trader.worker)
    for client in (trader, rest.anonymous):
        plain = RestClient(fastapi_only, client.worker, client.token)
        for method, path in REQUESTS:
            assert await _answer(client, method, path) == await _answer(plain, method, path), path


def test_every_list_and_row_of_the_database_is_dispatched(settings: Settings) -> None:
    app = framework_application(settings, Metrics(), ConnectionRegistry(settings))
    dispatcher = ReadDispatcher(app)
    reads = [
        route.path
        for route in app.routes
        if isinstance(route, APIRoute) and route.methods == {"GET"} and "/orm/" in route.path
    ]
    assert len(reads) > 40
    paths = [path.translate(str.maketrans("", "", "{}")) for path in reads]
    assert [path for path in paths if dispatcher.find({"method": "GET", "path": path}) is None] == []


def test_no_operation_lists_a_parameter_twice(settings: Settings) -> None:
    paths = framework_application(settings, Metrics(), ConnectionRegistry(settings)).openapi()["paths"]
    names = {
        f"{method} {path}": [parameter["name"] for parameter in operation.get("parameters", ())]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert [operation for operation, listed in names.items() if len(listed) != len(set(listed))] == []


def _fastapi_only(settings: Settings, worker: Worker) -> ASGIApp:
    rest = framework_application(settings, Metrics(), ConnectionRegistry(settings))
    inner = RequestMiddleware(PlatformPaths(rest, settings.api_prefix))
    checks = HealthChecks(worker)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(dict(scope) | {"state": {"worker": worker, "health_checks": checks}}, receive, send)

    return app


async def _answer(client: RestClient, method: str, path: str) -> tuple[int, Any]:
    response = await client.send(method, path)
    body = response.json()
    if isinstance(body, dict) and "error" in body:
        body["error"] |= {"timestamp": "", "request_id": ""}
    return response.status_code, body
