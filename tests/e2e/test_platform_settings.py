"""Settings of the platform's documents, as clients see them."""

from __future__ import annotations

import httpx

from fullon_graphql import models
from fullon_graphql.auth.api_keys import generate_key, stored_form
from fullon_graphql.database import Database
from tests.fixtures.rows import TRADER, add
from tests.fixtures.server import StartInProcess
from tests.fixtures.signing_in import SignIn

ME = "{ me { uid } }"
PREFLIGHT = {"origin": "https://app.example", "access-control-request-method": "POST"}


async def test_settings_of_the_public_parts_take_effect(
    start_in_process: StartInProcess, platform: Database, sign_in: SignIn
) -> None:
    await sign_in(TRADER)
    key = generate_key()
    await add(platform, models.ApiKey, {"uid": TRADER, "key": stored_form(key), "name": "", "scopes": "read"})
    async with start_in_process(
        API_TITLE="Mine", API_VERSION="3.2.1", METRICS_ENABLED="false", API_KEY_HEADER_NAME="X-My-Key",
        CORS_ORIGINS="https://app.example", CORS_ALLOW_CREDENTIALS="true", CORS_ALLOW_METHODS="GET,POST",
        CORS_ALLOW_HEADERS="x-my-key",
    ) as server:  # fmt: skip
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            description = (await client.get("/openapi.json")).json()
            metrics = await client.get("/metrics")
            allowed = (await client.options("/graphql", headers=PREFLIGHT)).headers
            by_rest = [
                (await client.get("/api/v1/orm/users/me", headers={name: key})).status_code
                for name in ("x-my-key", "x-api-key")
            ]
        by_graph = [(await server.post(ME, {name: key})).json()["data"] for name in ("x-my-key", "x-api-key")]
    assert (description["info"]["title"], description["info"]["version"]) == ("Mine", "3.2.1")
    assert description["components"]["securitySchemes"]["API key"]["name"] == "X-My-Key"
    assert metrics.status_code == 404
    assert allowed["access-control-allow-credentials"] == "true"
    assert allowed["access-control-allow-methods"] == "GET, POST"
    assert "x-my-key" in allowed["access-control-allow-headers"].lower()
    assert by_rest == [200, 401]
    assert by_graph == [{"me": {"uid": TRADER}}, None]
