"""Requests drawn by schemathesis from the OpenAPI document: no route fails, and each answers as documented."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, openapi
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, ServerProcess, bearer
from tests.fixtures.signing_in import SignIn

# Deterministic: the drawn requests depend on the OpenAPI document only.
ALWAYS_ALIKE = settings(
    derandomize=True, database=None, deadline=None, max_examples=4, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def ask(operation: Any, headers: dict[str, str]) -> None:
    """Send valid and invalid requests to one route."""

    @ALWAYS_ALIKE
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def whatever_is_allowed(case: Any) -> None:
        response = case.call(headers=headers, timeout=60)
        assert response.status_code < 500, f"{response.status_code} {response.text}\n{case.as_curl_command()}"
        if response.status_code in {200, 201}:
            case.validate_response(response, checks=[response_schema_conformance])

    whatever_is_allowed()


async def test_every_route_conforms_to_openapi(server_process: ServerProcess, sign_in: SignIn) -> None:
    headers = bearer(await sign_in(TRADER))
    schema = await asyncio.to_thread(openapi.from_url, f"{server_process.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 60
    for operation in operations:
        await asyncio.to_thread(ask, operation, headers)
    broken = [line for line in server_process.log if "request.failed" in line]
    assert broken == []


async def test_everything_in_openapi_has_a_description(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert (await client.get("/docs")).status_code == 200
    silent = [
        f"{method} {path} {missing}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        for missing in undescribed(operation)
    ]
    assert silent == []


def undescribed(operation: dict[str, Any]) -> list[str]:
    missing = [name for name in ("summary", "description") if not operation.get(name)]
    return missing + [
        one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and not one.get("description")
    ]


@pytest.mark.parametrize("path", ["/api/v1/orm/bots", "/api/v1/ohlcv/exchanges", "/api/v1/cache/tickers/kraken"])
async def test_market_data_requires_authentication(server: Server, path: str) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        assert (await client.get(path)).status_code == 401
