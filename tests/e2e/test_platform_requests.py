"""Existing clients first: every request that the platform's documents show is answered by the demo, by its meaning."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import pytest_asyncio

from fullon_graphql.embedded.demo.catalogue import PASSWORD
from tests.e2e.platform_requests import REQUESTS, Request
from tests.fixtures.demo import demo, demo_environment
from tests.fixtures.eventually import eventually
from tests.fixtures.server import Server, bearer

__all__ = ["demo", "demo_environment"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tokens(demo: Server) -> tuple[str, str]:
    """The tokens of the trader and of the administrator, once the services run."""
    trader, admin = [await demo.token(f"{name}@fullon", PASSWORD) for name in ("trader", "admin")]

    async def all_running() -> bool:
        async with httpx.AsyncClient(base_url=demo.url, headers=bearer(trader), timeout=30) as client:
            services = (await client.get("/health")).json()["services"]["daemons"]
            tickers = (await client.get("/api/v1/cache/tickers/kraken/active")).json()
        return set(services.values()) == {"running"} and tickers["count"] == 3

    await eventually(all_running, seconds=60)
    return trader, admin


async def test_every_request_has_its_documented_meaning(demo: Server, tokens: tuple[str, str]) -> None:
    kept: dict[str, Any] = {}
    wrong = []
    async with httpx.AsyncClient(base_url=demo.url, timeout=60) as client:
        for request in REQUESTS:
            response = await send(client, request, tokens[request.admin], kept)
            problem = misunderstood(request, response)
            if problem:
                wrong.append(f"{request.method} {request.path} {request.params}: {problem}")
            elif request.keep:
                name, key = request.keep
                kept[name] = response.json()[key]
    assert wrong == []


async def test_every_operation_of_rest_is_among_the_requests(demo: Server) -> None:
    async with httpx.AsyncClient(base_url=demo.url, timeout=60) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    sent = {(request.method, absolute(request.path).rstrip("/") or "/") for request in REQUESTS}
    unsent = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if not any(method.upper() == verb and pattern(path).fullmatch(sent_path) for verb, sent_path in sent)
    }
    assert unsent == {"GET /metrics"}  # not of the platform


async def send(client: httpx.AsyncClient, request: Request, token: str, kept: dict[str, Any]) -> httpx.Response:
    json = {
        name: kept[value[1:-1]] if value in brackets(kept) else value for name, value in (request.json or {}).items()
    }
    return await client.request(
        request.method,
        absolute(request.path).format(**kept),
        params=request.params or None,
        json=json if request.json is not None else None,
        data=request.data,
        headers=bearer(token) if "auth/login" not in request.path else None,
    )


def brackets(kept: dict[str, Any]) -> list[str]:
    """The placeholders of kept values."""
    return [f"{{{name}}}" for name in kept]


def misunderstood(request: Request, response: httpx.Response) -> str | None:
    """The status or body that is not as documented; None if both are."""
    if response.status_code != request.status:
        return f"{response.status_code} {response.text[:300]}"
    try:
        return None if request.means(response.json()) else response.text[:300]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        return f"{error!r} in {response.text[:300]}"


def absolute(path: str) -> str:
    return path if path.startswith("/") else f"/api/v1/{path}"


def pattern(template: str) -> re.Pattern[str]:
    """A pattern for the paths of a template; only symbols may contain slashes."""
    return re.compile(
        re.sub(r"\\\{(\w+)\\\}", lambda found: ".+" if found[1] == "symbol" else "[^/]+", re.escape(template))
    )
