"""Signing in over REST, as the platform's clients do it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest

from fullon_graphql.database import Database
from fullon_graphql.services.user_admin import create_account
from tests.fixtures.limits import refusals
from tests.fixtures.server import Server, StartInProcess, bearer

MAIL, PASSWORD = "trader@fullon", "correct horse battery"
LOGIN, VERIFY = "/api/v1/auth/login", "/api/v1/auth/verify"


@pytest.fixture(autouse=True)
async def _trader(database: Database) -> int:
    return await create_account(database, MAIL, PASSWORD)


async def send(server: Server, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        return await client.request(method, path, **options)


async def login(server: Server, password: str = PASSWORD, **further: str) -> httpx.Response:
    return await send(server, "POST", LOGIN, data={"username": MAIL, "password": password} | further)


def check_error(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that `error` is complete, and return the body."""
    assert response.status_code == status
    body: dict[str, Any] = response.json()
    assert body["error"].keys() == {
        "code",
        "platform_code",
        "message",
        "service",
        "timestamp",
        "request_id",
        "retry_after",
    }
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    assert datetime.fromisoformat(body["error"]["timestamp"]).tzinfo is not None
    return body


async def test_login_form_returns_a_valid_token(server: Server) -> None:
    response = await login(server)
    assert response.status_code == 200
    token = response.json()
    assert token["token_type"] == "bearer"
    assert 3590 <= token["expires_in"] <= 3600
    verified = await send(server, "GET", VERIFY, headers=bearer(token["access_token"]))
    assert verified.json() == {"user_id": 1, "username": MAIL, "email": MAIL, "is_active": True}
    assert (await server.ask("{ me { mail } }", token["access_token"]))["data"]["me"] == {"mail": MAIL}
    renew = "mutation ($current: String!) { refreshToken(refreshToken: $current) { user { uid } } }"
    assert (await server.ask(renew, current=token["refresh_token"]))["data"]["refreshToken"] == {"user": {"uid": 1}}


async def test_login_with_wrong_password_is_401(server: Server) -> None:
    response = await login(server, "wrong")
    body = check_error(response, 401, "UNAUTHENTICATED")
    assert body["error"]["platform_code"] == "AUTH_FAILED"
    assert body["detail"] == body["error"]["message"] == "Invalid credentials"
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", [None, "garbage"])
async def test_verify_requires_a_valid_token(server: Server, token: str | None) -> None:
    response = await send(server, "GET", VERIFY, headers=bearer(token))
    check_error(response, 401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_repeated_wrong_passwords_are_rate_limited(start_in_process: StartInProcess) -> None:
    before = refusals("LOGIN_LIMIT")
    async with start_in_process(LOGIN_LIMIT="2 per minute") as server:
        for _ in range(2):
            check_error(await login(server, "wrong"), 401, "UNAUTHENTICATED")
        response = await login(server)  # the right password is refused as well
        body = check_error(response, 429, "RATE_LIMITED")
        assert body["error"]["retry_after"] == int(response.headers["retry-after"])
        assert 1 <= body["error"]["retry_after"] <= 60
        answer = await server.ask(f'mutation {{ login(mail: "{MAIL}", password: "x") {{ accessToken }} }}')
        extensions = answer["errors"][0]["extensions"]
        assert (extensions["code"], 1 <= extensions["retryAfter"] <= 60) == ("RATE_LIMITED", True)
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            assert refusals("LOGIN_LIMIT", (await client.get("/metrics")).text) == before + 2


async def test_login_without_a_form_is_422(server: Server) -> None:
    body = {"username": MAIL, "password": PASSWORD}
    check_error(await send(server, "POST", LOGIN, json=body), 422, "BAD_USER_INPUT")
    missing = check_error(await send(server, "POST", LOGIN, data={"username": MAIL}), 422, "BAD_USER_INPUT")
    assert missing["detail"] == [{"loc": ["body", "password"], "msg": "Field required", "type": "missing"}]
    assert missing["error"]["message"] == "body.password: Field required"
    wrong = await send(server, "POST", LOGIN, data={"username": MAIL, "passwort": PASSWORD})
    check_error(wrong, 422, "BAD_USER_INPUT")
    assert PASSWORD not in wrong.text


async def test_unknown_path_has_the_common_error_body(server: Server) -> None:
    check_error(await send(server, "GET", "/api/v1/nothing"), 404, "NOT_FOUND")
    response = await send(server, "GET", LOGIN)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
