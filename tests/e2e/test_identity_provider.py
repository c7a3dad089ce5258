"""Servers that sign tokens with a private key, and that accept tokens of an external issuer."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import jwt
from redis.asyncio import Redis
from sqlalchemy import select

from fullon_graphql.cache import tickers
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry
from fullon_graphql.services.signing_in.sessions import Sessions
from tests.fixtures.eventually import eventually
from tests.fixtures.issuer import Issuer, new_key, write_private, write_public
from tests.fixtures.rows import TRADER
from tests.fixtures.server import StartInProcess, bearer
from tests.fixtures.socket import socket

GOLD = 'subscription { ticker(exchange: "kraken", symbol: "GOLD") { price } }'


async def publish(redis: Redis, price: float) -> None:
    await tickers.write(redis, [tickers.Ticker("kraken", "GOLD", price, time.time())])


async def test_issuer_rotates_its_key_while_sockets_are_open(
    start_in_process: StartInProcess, platform: Database, redis: Redis, issuer: Issuer
) -> None:
    issuer.add_key("before")
    await publish(redis, 1.0)
    first = issuer.token("before", "user2@fullon")
    async with start_in_process(**issuer.environment) as server, socket(server) as client:
        await client.sign_in({"authorization": first})
        await client.subscribe("1", GOLD)
        assert await client.next("1") == {"ticker": {"price": 1.0}}

        issuer.add_key("after", "ES256")
        second = issuer.token("after", "user2@fullon")

        async def accepted() -> bool:  # keys are fetched again ten seconds after the last time
            answer = await server.ask("{ me { uid } }", second)
            return answer.get("data") == {"me": {"uid": TRADER}}

        await eventually(accepted)
        assert (await server.ask("{ me { uid } }", first))["data"] == {"me": {"uid": TRADER}}
        await publish(redis, 2.0)
        assert await client.next("1") == {"ticker": {"price": 2.0}}
        await client.send("ping", payload={"authorization": second})
    signed = await platform.rows(select(AuditEntry.uid).where(AuditEntry.operation == "login"))
    assert [row.uid for row in signed] == [TRADER, TRADER]


async def test_server_publishes_its_keys_and_accepts_tokens_of_the_previous_one(
    start_in_process: StartInProcess, platform: Database, redis: Redis, settings: Settings, tmp_path: Path
) -> None:
    old, new = new_key("RS256"), new_key("EdDSA")
    before = {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY_FILE": str(write_private(old, tmp_path / "old.pem"))}
    async with start_in_process(**before) as server, httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        answer = await client.get("/.well-known/jwks.json")
        [key] = answer.json()["keys"]
        assert (key["kty"], key["alg"], "d" in key) == ("RSA", "RS256", False)
        assert "max-age" in answer.headers["cache-control"]
    changed = {"jwt_algorithm": "RS256", "jwt_private_key_file": before["JWT_PRIVATE_KEY_FILE"]}
    signed = await Sessions(platform, redis, settings.model_copy(update=changed)).open(TRADER, "user2@fullon")
    public = write_public(old, tmp_path / "public" / "old.pem").parent
    after = {
        "JWT_ALGORITHM": "EdDSA",
        "JWT_PRIVATE_KEY_FILE": str(write_private(new, tmp_path / "new.pem")),
        "JWT_PUBLIC_KEYS": str(public),
    }
    async with start_in_process(**after) as server, httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
        assert {each.algorithm_name for each in keys.keys} == {"RS256", "EdDSA"}
        verified = await client.get("/api/v1/auth/verify", headers=bearer(signed.access_token))
        assert verified.json()["user_id"] == TRADER
        renew = f'mutation {{ refreshToken(refreshToken: "{signed.refresh_token}") {{ accessToken }} }}'
        token = (await server.ask(renew))["data"]["refreshToken"]["accessToken"]
        assert jwt.get_unverified_header(token)["alg"] == "EdDSA"
        assert (await server.ask("{ me { uid } }", token))["data"] == {"me": {"uid": TRADER}}
