"""Documents by their ids, over every transport."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from redis.asyncio import Redis

from fullon_graphql.cache import documents, keys, tickers
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.engine.trusted import documents as trusted_documents
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.engine.trusted.registered import LONGEST_DOCUMENT
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.platform_socket import platform_socket
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, StartInProcess, StartServer, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import socket
from tests.fixtures.streaming import EVENTS, PARTS

ME = "query Me { me { uid } }"
GOLD = 'subscription Gold { ticker(exchange: "kraken", symbol: "GOLD") { price } }'
ANSWERS = {ME: {"me": {"uid": TRADER}}, GOLD: {"ticker": {"price": 1}}}

Send = Callable[[Server, str, dict[str, Any]], Awaitable[Any]]
"""Sends the parameters of a request; the first result is its data, or the code of its error."""


async def post(server: Server, token: str, params: dict[str, Any], accept: str = "application/json") -> Any:
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=60) as client:
        return outcome((await client.post("/graphql", json=params, headers={"accept": accept})).json())


async def get(server: Server, token: str, params: dict[str, Any]) -> Any:
    encoded = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=60) as client:
        return outcome((await client.get("/graphql", params=encoded)).json())


async def web_socket(server: Server, token: str, params: dict[str, Any]) -> Any:
    async with socket(server, bearer(token)) as client:
        await client.sign_in()
        await client.send("subscribe", id="1", payload=params)
        message = await client.receive()
    return outcome({"errors": message["payload"]} if message["type"] == "error" else message["payload"])


async def first_of(server: Server, token: str, params: dict[str, Any], accept: str) -> bytes:
    """The stream up to its first message."""
    headers = {**bearer(token), "accept": accept}
    seen = b""
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
        client.stream("POST", "/graphql", json=params, headers=headers) as response,
    ):
        async for chunk in response.aiter_raw():
            seen += chunk
            if b'"data"' in seen or b'"errors"' in seen:
                break
    return seen


async def events(server: Server, token: str, params: dict[str, Any]) -> Any:
    line = next(line for line in (await first_of(server, token, params, EVENTS)).split(b"\n") if line[:5] == b"data:")
    return outcome(orjson.loads(line[5:]))


async def multipart(server: Server, token: str, params: dict[str, Any]) -> Any:
    seen = await first_of(server, token, params, PARTS)
    body = next(line for line in seen.split(b"\r\n") if line[:1] == b"{" and line != b"{}")
    found = orjson.loads(body)
    return outcome(found.get("payload") or found)


def outcome(body: dict[str, Any]) -> Any:
    if "errors" in body:
        [error] = body["errors"]
        return error["extensions"]["code"]
    return body["data"]


TRANSPORTS: dict[str, tuple[Send, str]] = {
    "POST": (post, ME),
    "GET": (get, ME),
    "server-sent events": (events, GOLD),
    "multipart": (multipart, GOLD),
    "socket": (web_socket, GOLD),
    "query on a socket": (web_socket, ME),
}


def persisted(hash_: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_}}}


def document_id(hash_: str) -> dict[str, Any]:
    return {"documentId": f"sha256:{hash_}"}


@pytest.fixture(autouse=True)
async def _gold(redis: Redis) -> None:
    await tickers.write(redis, [Ticker("kraken", "GOLD", 1, 1)])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "manifest.json"
    write(file, {hash_of(ME): ME, "gold": GOLD})
    return file


def write(file: Path, entries: dict[str, str]) -> None:
    file.write_text(json.dumps(entries))


@pytest.fixture
async def strict(start_in_process: StartInProcess, manifest: Path) -> AsyncIterator[Server]:
    async with start_in_process(TRUSTED_DOCUMENTS="only", TRUSTED_DOCUMENTS_PATH=str(manifest)) as server:
        yield server


async def test_registered_document_is_found_by_its_hash(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    for (transport, (send, text)), name in product(TRANSPORTS.items(), (persisted, document_id)):
        own = f"{text} # {transport} {name}"
        by_hash = name(hash_of(own))
        assert await send(server, token, by_hash) == "PERSISTED_QUERY_NOT_FOUND", transport
        assert await send(server, token, {"query": own, **by_hash}) == ANSWERS[text], transport
        assert await send(server, token, by_hash) == ANSWERS[text], transport


async def test_registered_documents_are_shared_by_workers_for_a_day(
    server: Server, start_in_process: StartInProcess, sign_in: SignIn, redis: Redis
) -> None:
    token, hash_ = await sign_in(TRADER), hash_of(ME)
    assert await post(server, token, {"query": ME, **persisted(hash_)}) == ANSWERS[ME]
    key = keys.registered_document(hash_)
    await eventually_equal(lambda: redis.get(key), ME)
    assert 0 < await redis.ttl(key) <= documents.REGISTERED_SECONDS
    async with start_in_process() as other:
        assert await post(other, token, persisted(hash_)) == ANSWERS[ME]
        await redis.set(keys.registered_document(hash_of("{ other }")), ME)
        assert await post(other, token, persisted(hash_of("{ other }"))) == "PERSISTED_QUERY_NOT_FOUND"


async def test_only_valid_documents_of_bounded_size_are_registered(
    server: Server, sign_in: SignIn, redis: Redis
) -> None:
    token = await sign_in(TRADER)
    invalid, long = "{ nothing }", f"{ME} #{'x' * LONGEST_DOCUMENT}"
    assert await post(server, token, {"query": invalid, **persisted(hash_of(invalid))}) == "GRAPHQL_VALIDATION_FAILED"
    assert await post(server, token, {"query": long, **persisted(hash_of(long))}) == ANSWERS[ME]
    anonymous = "{ __typename }"
    assert await post(server, "", {"query": anonymous, **persisted(hash_of(anonymous))}) == {"__typename": "Query"}
    assert await post(server, token, {"query": ME, **persisted(hash_of(ME))}) == ANSWERS[ME]
    await eventually(lambda: redis.exists(keys.registered_document(hash_of(ME))))
    assert len(await redis.keys(keys.registered_document("*"))) == 1
    for text in (invalid, long):
        assert await post(server, token, persisted(hash_of(text))) == "PERSISTED_QUERY_NOT_FOUND"


async def test_mutation_by_its_hash_is_refused_with_get(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    document = "query A { __typename } mutation B { logout }"
    assert await post(server, token, {"query": document, "operationName": "A", **persisted(hash_of(document))})
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=60) as client:
        params = {"documentId": f"sha256:{hash_of(document)}", "operationName": "B"}
        assert (await client.get("/graphql", params=params)).status_code == 405


HOSTILE: dict[str, dict[str, Any]] = {
    "not a string": {"documentId": 7},
    "an object": {"documentId": {"a": 1}},
    "empty": {"documentId": ""},
    "long": {"documentId": "a" * 900_000},
    "not an id": {"documentId": "../../etc/passwd"},
    "prefix without a hash": {"documentId": "sha256:abc"},
    "hash of another document": {"query": ME, **document_id("0" * 64)},
    "persisted hash of another document": {"query": ME, **persisted("0" * 64)},
    "two ids": {"documentId": "a", **persisted("0" * 64)},
    "long hash": persisted("0" * 900_000),
    "persistedQuery is no object": {"extensions": {"persistedQuery": "a"}},
    "persistedQuery is a list": {"extensions": {"persistedQuery": [1]}},
    "no hash": {"extensions": {"persistedQuery": {"version": 1}}},
    "hash is no string": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 7}}},
    "unknown version": {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
    "extensions is no object": {"documentId": "a", "extensions": [1]},
    "query is no string": {"query": 7, "documentId": "a"},
}


async def test_malformed_id_is_400_with_a_code(server: Server, sign_in: SignIn) -> None:
    token = await sign_in(TRADER)
    async with httpx.AsyncClient(base_url=server.url, headers=bearer(token), timeout=60) as client:
        for accept in ("application/json", "application/graphql-response+json", EVENTS):
            for name, params in HOSTILE.items():
                response = await client.post("/graphql", json=params, headers={"accept": accept})
                assert response.status_code == 400, name
                [error] = response.json()["errors"]
                assert error["extensions"] == {"code": "BAD_USER_INPUT"}, name
                assert len(error["message"]) < 400, name


OPERATION_ERRORS = {
    "empty", "long", "not an id", "prefix without a hash", "hash of another document",
    "persisted hash of another document", "long hash",
}  # fmt: skip
"""Those that are an error of the operation on a socket; the others are no message, and close it."""


async def test_malformed_id_on_a_socket_is_an_error_or_closes_it(server: Server, sign_in: SignIn) -> None:
    token = bearer(await sign_in(TRADER))
    for name, params in HOSTILE.items():
        async with socket(server, token) as client:
            await client.sign_in()
            await client.send("subscribe", id="1", payload=params)
            if name not in OPERATION_ERRORS:
                assert await client.closed() == 4400, name
                continue
            message = await client.receive()
            assert (message["type"], message["id"]) == ("error", "1")
            assert [error["extensions"]["code"] for error in message["payload"]] == ["BAD_USER_INPUT"]
            await client.subscribe("1", ME)
            assert await client.next("1") == ANSWERS[ME]


async def test_unknown_hash_has_the_status_of_its_media_type(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
            response = await client.post("/graphql", json=persisted("0" * 64), headers={"accept": accept})
            assert response.status_code == status
            [error] = response.json()["errors"]
            assert error == {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}


async def test_only_trusted_documents_are_executed(strict: Server, sign_in: SignIn, redis: Redis) -> None:
    token, registered = await sign_in(TRADER), "{ me { mail } }"
    await documents.register(redis, {hash_of(registered): registered}, datetime.now(UTC).date())
    assert await post(strict, token, persisted(hash_of(registered))) == "DOCUMENT_NOT_TRUSTED"
    for transport, (send, text) in TRANSPORTS.items():
        for params in (document_id(hash_of(text)), persisted(hash_of(text)), {"query": text},
                       {"query": text, **persisted(hash_of(text))}):  # fmt: skip
            assert await send(strict, token, params) == ANSWERS[text], transport
        other = f"{text} # other"
        for params in ({"query": other}, document_id(hash_of(other)), persisted(hash_of(other)),
                       {"query": other, **persisted(hash_of(other))}, {"documentId": "unknown"}):  # fmt: skip
            assert await send(strict, token, params) == "DOCUMENT_NOT_TRUSTED", transport
    assert await web_socket(strict, token, {"documentId": "gold"}) == ANSWERS[GOLD]
    assert await web_socket(strict, token, {"query": GOLD, "documentId": "gold"}) == ANSWERS[GOLD]
    assert await post(strict, token, {"query": ME, "documentId": "gold"}) == "BAD_USER_INPUT"
    async with platform_socket(strict, "/ws", token) as client:
        assert (await client.result("get_ticker", exchange="kraken", symbol="GOLD"))["price"] == 1


async def test_changed_manifest_is_read_again(strict: Server, sign_in: SignIn, manifest: Path) -> None:
    token, other = await sign_in(TRADER), "query Other { me { mail } }"
    write(manifest, {hash_of(other): other})

    async def outcomes() -> Any:
        return [await post(strict, token, document_id(hash_of(text))) for text in (other, ME)]

    expected = [{"me": {"mail": f"user{TRADER}@fullon"}}, "DOCUMENT_NOT_TRUSTED"]
    await eventually_equal(outcomes, expected, 2 * trusted_documents.RELOAD_SECONDS)


async def test_untrusted_documents_are_logged_once_and_counted(
    start_server: StartServer, sign_in: SignIn, manifest: Path, redis: Redis
) -> None:
    token, other = (
        await sign_in(TRADER),
        "query Other { bots { nodes { name } } me { ...M } } fragment M on User { mail }",
    )
    headers = {**bearer(token), "apollographql-client-name": "desk"}
    async with start_server(TRUSTED_DOCUMENTS="log", TRUSTED_DOCUMENTS_PATH=str(manifest)) as server:
        for _ in range(3):
            assert "errors" not in (await server.post(other, headers)).json()
        assert await post(server, token, document_id(hash_of(ME))) == ANSWERS[ME]
        async with socket(server, bearer(token)) as client:
            await client.sign_in({"apollographql-client-name": "desk"})
            await client.send("subscribe", id="1", payload={"documentId": "gold"})
            assert await client.next("1") == ANSWERS[GOLD]
        async with platform_socket(server, "/ws", token) as platform:
            await platform.result("get_ticker", exchange="kraken", symbol="GOLD")
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as browser:
            metrics = (await browser.get("/metrics")).text
        log = server.log
    for result, count in (("untrusted", 3), ("trusted", 2)):
        assert f'fullon_graphql_trusted_documents_total{{result="{result}"}} {count}.0' in metrics
    logged = [json.loads(line) for line in log if "documents.untrusted" in line]
    assert [(line["document"], line["operation"], line["client"]) for line in logged] == [
        (hash_of(other), "Other", "desk")
    ]
    today = datetime.now(UTC).date()
    uses = (await documents.document_usage(redis, [today]))[today]
    assert {names: count for names, count in uses.items() if names[1]} == {
        (hash_of(other), "Other", "desk"): 3,
        (hash_of(ME), "Me", ""): 1,
        (hash_of(GOLD), "Gold", "desk"): 1,
    }
    fields = (await documents.field_usage(redis, [today]))[today]
    assert fields["User.mail", "desk"] == fields["Bot.name", "desk"] == 3
    assert fields["Query.me", ""] == fields["User.uid", ""] == fields["Subscription.ticker", "desk"] == 1
    assert 0 < await redis.ttl(keys.field_usage(today)) <= documents.USAGE_DAYS * 86_400


async def test_unreadable_manifest_stops_the_start(environment: dict[str, str], tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fullon_graphql.cli", "serve", "--no-services", "--port", "0",
        env=environment | {"TRUSTED_DOCUMENTS": "only", "TRUSTED_DOCUMENTS_PATH": str(tmp_path / "absent")},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode().strip() == f"{tmp_path / 'absent'} cannot be read: No such file or directory."
