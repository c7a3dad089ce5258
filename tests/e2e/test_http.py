"""The graph over HTTP, on a real server."""

from __future__ import annotations

import httpx

from fullon_graphql.database import Database
from fullon_graphql.models import Role
from fullon_graphql.services.user_admin import create_account
from tests.fixtures.server import Server, StartServer


async def test_login_and_me(server: Server, database: Database) -> None:
    await create_account(database, "ada@fullon", "correct horse", role=Role.ADMIN)
    token = await server.token("ada@fullon", "correct horse")
    answer = await server.ask("{ me { mail isAdmin } }", token)
    assert answer == {"data": {"me": {"mail": "ada@fullon", "isAdmin": True}}}


async def test_anonymous_request_is_unauthenticated(server: Server) -> None:
    answer = await server.ask("{ me { mail } }")
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_root_is_the_desk_for_browsers_and_json_for_programs(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        program = await client.get("/")
        browser = await client.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert program.json()["service"] == "fullon_graphql"
    assert (browser.status_code, browser.headers["location"]) == (302, f"{server.url}/desk")


async def test_queries_by_get_are_answered_to_programs(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        answer = await client.get("/graphql", params={"query": "{ __typename }"})
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_request_is_logged_once(start_server: StartServer) -> None:
    async with start_server() as server:
        await server.ask("{ __typename }")
    [line] = [line for line in server.log if "uvicorn.access" in line or "POST" in line]
    assert '"event":"request"' in line


async def test_every_response_has_a_request_id(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        own = await client.get("/health/live", headers={"x-request-id": "from-a-proxy.1"})
        made = await client.get("/health/live", headers={"x-request-id": "bad\tid"})
    assert own.headers["x-request-id"] == "from-a-proxy.1"
    assert len(made.headers["x-request-id"]) == 32
