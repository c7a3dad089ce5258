"""Aliases, API_PREFIX, and paths that two routes could answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match

from fullon_graphql.app import framework_application, rest_application
from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.rest.aliases import aliases
from fullon_graphql.rest.health import HealthChecks
from fullon_graphql.rest.routes import api_routes
from fullon_graphql.streaming.connections import ConnectionRegistry
from tests.fixtures.rest import Rest, RestClient
from tests.fixtures.rows import TRADER

ALIASES = [
    ("/api/v1/market/exchanges", "ohlcv/exchanges"),
    ("/api/market/exchanges", "ohlcv/exchanges"),
    ("/api/v1/db/orders", "orm/orders"),
    ("/api/v1/db/positions", "orm/positions"),
    ("/api/v1/users/2/positions", "orm/users/2/positions"),
    ("/api/orm/trades/8", "orm/trades/8"),
    ("/api/cache/orders/queue/size", "cache/orders/queue/size"),
    ("/api/tickers/kraken", "cache/tickers/kraken"),
    ("/api/orders/", "orm/orders"),
    ("/api/trades/stats", "orm/trades/stats"),
    ("/api/users/me", "orm/users/me"),
    ("/api/v1/ohlcv/api/exchanges/kraken/info", "ohlcv/exchanges/kraken/info"),
    ("/api/v1/market/api/exchanges/kraken/info", "ohlcv/exchanges/kraken/info"),
]


def comparable(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "timestamp"} if "count" in answer else answer


@pytest.mark.parametrize(("alias", "path"), ALIASES)
async def test_alias_answers_as_the_route(rest: Rest, alias: str, path: str) -> None:
    trader = await rest.as_(TRADER)
    assert comparable(await trader.get(alias)) == comparable(await trader.get(path))


@pytest.mark.parametrize(
    "path", ["/api/v1/marketplace", "/api/v1/dbs/orders", "/api/order/1", "/api", "/api/v1/market"]
)
async def test_alias_is_a_whole_segment(rest: Rest, path: str) -> None:
    assert await (await rest.as_(TRADER)).refused(path) == (404, "NOT_FOUND")


async def test_alias_keeps_method_body_and_query(rest: Rest) -> None:
    trader = await rest.as_(TRADER)
    made = await trader.send("POST", "/api/v1/db/bots/", json={"name": "grid"})
    assert (made.status_code, made.json()["name"]) == (201, "grid")
    assert [order["order_id"] for order in await trader.get("/api/orders", limit=1)] == [40]


async def test_aliases_are_not_in_openapi(settings: Settings) -> None:
    app = framework_application(settings, Metrics(), ConnectionRegistry(settings))
    described = {path for path in app.openapi()["paths"] if path.startswith("/api")}
    assert described
    assert {path for path in described for alias in aliases("/api/v1") if path.startswith(f"{alias}/")} == set()


async def test_api_prefix_replaces_the_prefix_everywhere(rest: Rest, settings: Settings) -> None:
    moved = settings.model_copy(update={"api_prefix": "/trading/v2"})
    trader = await rest.as_(TRADER)
    inner = rest_application(moved, Metrics(), ConnectionRegistry(moved))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        state = {"worker": trader.worker, "health_checks": HealthChecks(trader.worker)}
        await inner(dict(scope) | {"state": state, "request_id": "tests"}, receive, send)

    client = RestClient(app, trader.worker, trader.token)
    for path in ("/trading/v2/orm/bots", "/trading/v2/db/bots/", "/api/orm/bots"):
        assert [bot["bot_id"] for bot in await client.get(path)] == [1, 2, 3, 4, 5], path
    assert (await client.get("/trading/v2/market/exchanges"))["exchanges"] == ["bitmex", "kraken"]
    assert (await client.get("/trading/v2/health"))["service"] == "fullon_graphql"
    assert await client.refused("/api/v1/orm/bots") == (404, "NOT_FOUND")
    description = (await client.get("/openapi.json"))["paths"]
    assert "/trading/v2/orm/bots" in description
    assert not any(path.startswith("/api") for path in description)


EXAMPLES = {"exchange": "kraken", "symbol": "BTC/USD", "timeframe": "1h", "process_type": "tick"}
"""Values of path parameters; the others are keys."""


def test_no_route_answers_for_the_path_of_another() -> None:
    """Each route, asked with usual values, is the first one that matches."""
    routes = [route for route in api_routes("") if isinstance(route, APIRoute)]
    assert len(routes) > 100
    for route in routes:
        path = re.sub(r"\{(\w+)[^}]*\}", lambda found: EXAMPLES.get(found[1], "7"), route.path)
        for method in route.methods or ():
            scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": []}
            first = next(other for other in routes if other.matches(scope)[0] is Match.FULL)
            assert first.path == route.path, f"{method} {path} is answered by {first.path}"
