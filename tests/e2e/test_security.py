"""Access rules over HTTP: the codes of the contract, without leaks."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import update

from fullon_graphql import models
from fullon_graphql.auth.api_keys import generate_key, stored_form
from fullon_graphql.auth.tokens import issue_access_token
from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.engine.lists import opaque_ids as identifiers
from fullon_graphql.services.user_admin import set_password
from tests.fixtures.eventually import eventually_equal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.fixtures.server import Server, bearer
from tests.fixtures.signing_in import SignIn

ME = "{ me { uid mail } }"
LOGIN = "mutation ($mail: String!, $password: String!) { login(mail: $mail, password: $password) { accessToken } }"
PASSWORD = "correct horse battery"

FOREIGN = ["user3@fullon", "777", "foreign", "$2b$", "JBSWY3DPEHPK3PXP"]
"""Values that no caller, or only another user, may read."""


@pytest.fixture(autouse=True)
async def _secrets(platform: Database, redis: Redis) -> None:
    await set_password(platform, redis, "user2@fullon", PASSWORD)
    await change(platform, OTHER, f2a="JBSWY3DPEHPK3PXP")


async def change(database: Database, uid: int, **values: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(models.User).where(models.User.uid == uid).values(**values))


async def refused(server: Server, token: str) -> None:
    """Wait until the token is rejected."""

    async def answer() -> list[str]:
        return codes(await server.post(ME, bearer(token)))

    await eventually_equal(answer, ["UNAUTHENTICATED"])


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", [])]


async def test_failed_logins_do_not_reveal_the_reason(server: Server, platform: Database, redis: Redis) -> None:
    await set_password(platform, redis, "user3@fullon", PASSWORD)
    await change(platform, OTHER, active=False)
    attempts: list[dict[str, Any]] = [
        {"mail": "user2@fullon", "password": "wrong"},
        {"mail": "nobody@fullon", "password": PASSWORD},
        {"mail": "user3@fullon", "password": PASSWORD},
        {"mail": "USER2@fullon", "password": PASSWORD},
        {"mail": "user2@fullon", "password": ""},
    ]
    answers = [await server.post(LOGIN, **attempt) for attempt in attempts]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["errors"][0]["message"] == "Invalid credentials"
    assert codes(answers[0]) == ["UNAUTHENTICATED"]
    assert (await server.post(LOGIN, mail="user2@fullon", password=PASSWORD)).json()["data"]["login"]["accessToken"]


async def test_forged_tokens_are_rejected(server: Server, settings: Settings, sign_in: SignIn) -> None:
    good = await sign_in(TRADER)
    claims = jwt.decode(good, options={"verify_signature": False})
    secret = settings.jwt_secret_key.get_secret_value()
    header, payload, signature = good.split(".")
    expired, _ = issue_access_token(settings, TRADER, "user2@fullon", uuid4(), datetime.now(UTC) - timedelta(hours=2))
    unknown_session, _ = issue_access_token(settings, TRADER, "user2@fullon", uuid4(), datetime.now(UTC))
    bad = {
        "expired": expired,
        "of no session": unknown_session,
        "forged": jwt.encode(claims, "another secret of the same length as ours", "HS256"),
        "of another algorithm": hs512(claims, secret),
        "alg none": jwt.encode(claims, "", "none"),
        "alg None without a signature": f"{b64({'alg': 'None', 'typ': 'JWT'})}.{payload}.",
        "alg none with our signature": f"{b64({'alg': 'none', 'typ': 'JWT'})}.{payload}.{signature}",
        "the id of another user": f"{header}.{b64(claims | {'user_id': ADMIN})}.{signature}",
        "signed for another uid": jwt.encode(claims | {"user_id": ADMIN}, secret, "HS256"),
        "for another audience": jwt.encode(claims | {"aud": "other"}, secret, "HS256"),
        "without an end": jwt.encode({name: claims[name] for name in claims if name != "exp"}, secret, "HS256"),
        "an empty signature": f"{header}.{payload}.",
        "garbage": "garbage",
        "very long": "x" * 5000,
    }
    for reason, token in bad.items():
        answer = await server.post(ME, bearer(token))
        assert codes(answer) == ["UNAUTHENTICATED"], reason
        assert answer.json()["data"] is None
        assert token not in answer.text
        assert "user2@fullon" not in answer.text
    assert (await server.ask(ME, good))["data"]["me"]["uid"] == TRADER


def hs512(claims: dict[str, Any], secret: str) -> str:
    """A token signed with our secret and another algorithm."""
    signed = f"{b64({'alg': 'HS512', 'typ': 'JWT'})}.{b64(claims)}"
    return f"{signed}.{unpadded(hmac.digest(secret.encode(), signed.encode(), 'sha512'))}"


def b64(value: dict[str, Any]) -> str:
    return unpadded(orjson.dumps(value))


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_every_root_field_requires_authentication(server: Server, platform: Database) -> None:
    """One operation of every kind; tests/schema/test_visibility.py covers every field."""
    questions = [
        "me { uid }", "users { nodes { uid } }", "user(uid: 2) { uid }", "bots { totalCount }", "bot(botId: 1) { name }",
        "orders { totalCount }", "order(orderId: 1) { price }", "catExchanges { name }", "symbols { totalCount }",
        'symbol(exchange: "kraken", symbol: "GOLD") { base }', 'ticker(exchange: "kraken", symbol: "GOLD") { price }',
        'tickers(exchange: "kraken") { price }', "services { name }", "service(name: TICKER) { state }",
        'candles(exchange: "kraken", symbol: "GOLD", timeframe: D1, last: 1) { open }',
        'candleColumns(exchange: "kraken", symbol: "GOLD", timeframe: D1, last: 1) { length }',
        f'node(id: "{identifiers.encode("Symbol", 1)}") {{ id }}', f'nodes(ids: ["{identifiers.encode("Bot", 1)}"]) {{ id }}',
        f'_entities(representations: [{{__typename: "User", id: "{identifiers.encode("User", 1)}"}}]) {{ __typename }}',
    ]  # fmt: skip
    for question in questions:
        answer = await server.post(f"{{ {question} }}")
        assert codes(answer) == ["UNAUTHENTICATED"], question
    for change in ("logout", "startService(name: TICKER) { state }"):
        assert codes(await server.post(f"mutation {{ {change} }}")) == ["UNAUTHENTICATED"]


async def test_service_control_requires_admin(server: Server, sign_in: SignIn, redis: Redis) -> None:
    trader = bearer(await sign_in(TRADER))
    for question in (
        "{ services { state } }", "{ service(name: TICKER) { state } }", "mutation { startService(name: TICKER) { state } }",
        "mutation { stopService(name: OHLCV) { state } }", "mutation { restartService(name: ACCOUNT) { state } }",
    ):  # fmt: skip
        answer = await server.post(question, trader)
        assert codes(answer) == ["FORBIDDEN"], question
        assert not answer.json()["data"]
    assert not [name for name in ("ticker", "ohlcv", "account") if await redis.exists(keys.service_desired(name))]
    services = await server.ask("{ services { name state } }", await sign_in(ADMIN))
    assert services["data"]["services"] == [{"name": n, "state": "STOPPED"} for n in ("TICKER", "OHLCV", "ACCOUNT")]


async def test_foreign_rows_are_unreachable_by_key(server: Server, sign_in: SignIn) -> None:
    trader = bearer(await sign_in(TRADER))
    by_key = "query ($key: Int!) {{ {}: $key) {{ __typename }} }}"
    by_id = ("query ($key: ID!) { node(id: $key) { id } }", "query ($key: ID!) { nodes(ids: [$key]) { id } }")
    by_representation = "query ($key: _Any!) { _entities(representations: [$key]) { __typename } }"
    asked: list[tuple[str, Any, Any]] = [
        (by_key.format("bot(botId"), 6, 9999),
        (by_key.format("order(orderId"), 41, 9999),
        (by_key.format("user(uid"), OTHER, 9999),
    ]
    for type_, key in (("User", OTHER), ("Bot", 6), ("Order", 41), ("Exchange", 30)):
        theirs, nobodys = identifiers.encode(type_, key), identifiers.encode(type_, 9999)
        asked += [(question, theirs, nobodys) for question in by_id]
        represented = {"__typename": type_, "id": theirs}
        asked.append((by_representation, represented, represented | {"id": nobodys}))
    for question, foreign, absent in asked:
        answers = [await server.post(question, trader, key=key) for key in (foreign, absent)]
        assert "errors" not in answers[0].json(), question
        assert answers[0].text == answers[1].text
        assert not [secret for secret in FOREIGN if secret in answers[0].text]


async def test_lists_and_relations_contain_own_rows_only(server: Server, sign_in: SignIn, platform: Database) -> None:
    # An order on another user's bot and account, and a bot on another user's account: the platform allows both.
    await add(platform, models.Order, order(50, 6, TRADER, ex_id=30))
    await add(platform, models.BotExchange, {"bot_id": 2, "ex_id": 30})
    everything = """{
      users { totalCount nodes { uid mail phone idNum note bots { nodes { name } } exchanges { name } } }
      bots { totalCount nodes { botId uid name user { mail } exchanges { exId uid } orders { nodes { orderId } } } }
      orders(first: 1000) { totalCount nodes { orderId uid bot { name } user { mail } } } }"""
    answer = await server.post(everything, bearer(await sign_in(TRADER)))
    data = answer.json()["data"]
    assert "errors" not in answer.json()
    assert [user["uid"] for user in data["users"]["nodes"]] == [TRADER]
    assert {bot["uid"] for bot in data["bots"]["nodes"]} == {TRADER}
    assert {one["uid"] for bot in data["bots"]["nodes"] for one in bot["exchanges"]} == {TRADER}
    assert {one["uid"] for one in data["orders"]["nodes"]} == {TRADER}
    assert [data[name]["totalCount"] for name in ("users", "bots", "orders")] == [1, 5, 41]
    assert data["orders"]["nodes"][-1] == {"orderId": 50, "uid": TRADER, "bot": None, "user": {"mail": "user2@fullon"}}
    assert not [secret for secret in FOREIGN if secret in answer.text]
    administrator = await server.post(everything, bearer(await sign_in(ADMIN)))
    assert [administrator.json()["data"][name]["totalCount"] for name in ("users", "bots", "orders")] == [3, 6, 46]
    assert not [secret for secret in FOREIGN[3:] if secret in administrator.text]


async def test_token_is_revoked_with_its_account_and_session(
    server: Server, sign_in: SignIn, platform: Database
) -> None:
    token, second = await sign_in(TRADER), await sign_in(TRADER)
    assert (await server.ask("mutation { logout }", token))["data"] == {"logout": True}
    await refused(server, token)
    assert (await server.ask(ME, second))["data"]["me"]["uid"] == TRADER
    await change(platform, TRADER, active=False)
    await refused(server, second)


async def test_refresh_token_is_valid_once_and_only_for_renewal(server: Server) -> None:
    login = LOGIN.replace("accessToken", "accessToken refreshToken tokenType expiresAt user { uid }")
    signed = (await server.ask(login, mail="user2@fullon", password=PASSWORD))["data"]["login"]
    assert (signed["tokenType"], signed["user"]) == ("bearer", {"uid": TRADER})
    assert codes(await server.post(ME, bearer(signed["refreshToken"]))) == ["UNAUTHENTICATED"]
    renew = "mutation ($current: String!) { refreshToken(refreshToken: $current) { accessToken refreshToken } }"
    renewed = (await server.ask(renew, current=signed["refreshToken"]))["data"]["refreshToken"]
    assert (await server.ask(ME, renewed["accessToken"]))["data"]["me"]["uid"] == TRADER
    assert codes(await server.post(renew, current=signed["refreshToken"])) == ["UNAUTHENTICATED"]
    await refused(server, renewed["accessToken"])  # reuse has ended the session
    assert codes(await server.post(renew, current="x")) == ["UNAUTHENTICATED"]


async def test_api_key_scopes_are_enforced(server: Server, platform: Database) -> None:
    given = {"read": generate_key(), "write": generate_key(), "read,admin": generate_key()}
    await add(
        platform,
        models.ApiKey,
        *({"uid": ADMIN, "key": stored_form(key), "name": "", "scopes": scopes} for scopes, key in given.items()),
    )
    outcomes = {}
    for scopes, key in given.items():
        questions = (ME, "{ services { name } }", "mutation { logout }")
        outcomes[scopes] = [codes(await server.post(question, {"x-api-key": key})) for question in questions]
    assert outcomes == {
        "read": [[], ["FORBIDDEN"], ["BAD_USER_INPUT"]],
        "write": [["FORBIDDEN"], ["FORBIDDEN"], ["FORBIDDEN"]],
        "read,admin": [[], [], ["BAD_USER_INPUT"]],
    }
    users = await server.post("{ users { totalCount } }", {"x-api-key": given["read"]})
    assert users.json()["data"] == {"users": {"totalCount": 1}}  # without the scope `admin` the key sees its owner only
    for unknown in (generate_key(), stored_form(given["read"]), "short", ""):
        assert codes(await server.post(ME, {"x-api-key": unknown})) == ["UNAUTHENTICATED"]


async def test_mutations_are_rejected_over_get(server: Server, sign_in: SignIn) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(await sign_in(TRADER)), timeout=60) as client:
        answer = await client.get("/graphql", params={"query": "mutation { logout }"})
        assert answer.status_code == 405
        form = await client.post(
            "/graphql", content='{"query": "mutation { logout }"}', headers={"content-type": "text/plain"}
        )
        assert form.status_code == 415
        assert (await client.get("/graphql", params={"query": ME})).json()["data"]["me"]["uid"] == TRADER


async def test_every_response_has_security_headers(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        for path in ("/graphql?query={__typename}", "/api/v1/orm/bots", "/health/live", "/nowhere", "/metrics"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY", path
            assert headers["referrer-policy"] == "no-referrer", path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert "strict-transport-security" not in headers, path
        behind_tls = await client.get("/health/live", headers={"x-forwarded-proto": "https"})
    assert behind_tls.headers["strict-transport-security"].startswith("max-age=")
