"""Explanations require an administrator, except in the demo."""

from __future__ import annotations

from typing import Any

import httpx

from fullon_graphql.database import Database
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import Server, bearer
from tests.fixtures.signing_in import SignIn


async def ask(server: Server, token: str | None) -> Any:
    body = {"query": "{ bots { nodes { name } } }", "extensions": {"explain": True}}
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=60) as client:
        return (await client.post("/graphql", json=body)).json()


async def test_explain_requires_admin(server: Server, platform: Database, sign_in: SignIn) -> None:
    report = (await ask(server, await sign_in(ADMIN)))["extensions"]["explain"]
    assert [step["kind"] for step in report["steps"]] == ["identify", "parse", "validate", "plan", "compile", "statement"]  # fmt: skip
    assert "extensions" not in await ask(server, await sign_in(TRADER))
    assert "extensions" not in await ask(server, None)
