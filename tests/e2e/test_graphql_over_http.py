"""`/graphql` conforms to the GraphQL over HTTP specification."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from fullon_graphql.transports.http import LARGEST_BODY, LEGACY, MODERN
from tests.fixtures.demo import demo, demo_environment
from tests.fixtures.server import Server

__all__ = ["demo", "demo_environment"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "{ __typename }"
DATA = {"data": {"__typename": "Query"}}
WRONG = {
    "no document": "{",
    "no such field": "{ nothing }",
    "a variable without a value": "query ($id: ID!) { node(id: $id) { id } }",
    "no operation": "fragment F on Query { __typename }",
    "a subscription": 'subscription { tickers(exchange: "kraken") { price } }',
}
"""Well-formed requests that cannot be executed."""


@pytest_asyncio.fixture(loop_scope="module")
async def client(demo: Server) -> Any:
    """A client without the headers that httpx sends by itself."""
    async with httpx.AsyncClient(base_url=demo.url, timeout=30) as client:
        del client.headers["accept"]
        yield client


async def post(client: httpx.AsyncClient, body: Any, accept: str | None = None, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": LEGACY} | ({"accept": accept} if accept else {}) | headers
    return await client.post("/graphql", content=content, headers=given)


def media_type(response: httpx.Response) -> str:
    return response.headers["content-type"].partition(";")[0]


@pytest.mark.parametrize(
    ("accept", "answered"),
    [(None, LEGACY), ("*/*", LEGACY), ("application/*", LEGACY), (LEGACY, LEGACY), (MODERN, MODERN),
     (f"{MODERN}, {LEGACY};q=0.9", MODERN), (f"{MODERN}; charset=utf-8, {LEGACY}; charset=utf-8", MODERN),
     ("text/html, */*;q=0.1", LEGACY)],
)  # fmt: skip
async def test_response_has_an_accepted_media_type(
    client: httpx.AsyncClient, accept: str | None, answered: str
) -> None:
    response = await post(client, {"query": QUERY}, accept)
    assert (response.status_code, response.headers["content-type"]) == (200, f"{answered}; charset=utf-8")
    assert response.json() == DATA


async def test_unsupported_accept_header_is_406(client: httpx.AsyncClient) -> None:
    assert (await post(client, {"query": QUERY}, "text/plain")).status_code == 406


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/graphql", ""])  # fmt: skip
async def test_unsupported_content_type_is_415(client: httpx.AsyncClient, given: str) -> None:
    assert (await post(client, {"query": QUERY}, **{"content-type": given})).status_code == 415


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"])  # fmt: skip
async def test_content_type_may_have_a_charset(client: httpx.AsyncClient, given: str) -> None:
    body = json.dumps({"query": '{ ticker(exchange: "é", symbol: "😀") { price } }'}, ensure_ascii=False).encode()
    response = await post(client, body, **{"content-type": given})
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"null", b"7", b'"{ __typename }"', {}, {"qeury": QUERY}, {"query": None}, {"query": 7},
     {"query": [QUERY]}, {"query": QUERY, "variables": "{}"}, {"query": QUERY, "variables": []},
     {"query": QUERY, "variables": 7}, {"query": QUERY, "extensions": "{}"}, {"query": QUERY, "extensions": []},
     {"query": QUERY, "operationName": 7}, {"query": QUERY, "operationName": {}}, [{"query": QUERY}], []],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("accept", [LEGACY, MODERN])
async def test_invalid_request_is_400(client: httpx.AsyncClient, body: Any, accept: str) -> None:
    response = await post(client, body, accept)
    assert (response.status_code, media_type(response)) == (400, accept)
    assert list(response.json()) == ["errors"]
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize("name", ["variables", "operationName", "extensions"])
async def test_optional_parameters_may_be_null(client: httpx.AsyncClient, name: str) -> None:
    assert (await post(client, {"query": QUERY, name: None})).json() == DATA


async def test_unknown_parameters_are_ignored(client: httpx.AsyncClient) -> None:
    body = {"query": QUERY, "extensions": {"anything": [1]}, "variables": {"unused": 1}}
    assert (await post(client, body)).json() == DATA


@pytest.mark.parametrize("query", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize(("accept", "status"), [(LEGACY, 200), (MODERN, 400)])
async def test_request_error_has_no_data_and_the_status_of_its_media_type(
    client: httpx.AsyncClient, query: str, accept: str, status: int
) -> None:
    for response in (
        await post(client, {"query": query}, accept),
        await client.get("/graphql", params={"query": query}, headers={"accept": accept}),
    ):
        assert (response.status_code, media_type(response)) == (status, accept)
        assert list(response.json()) == ["errors"]


@pytest.mark.parametrize("accept", [LEGACY, MODERN])
async def test_executed_operation_is_200_with_or_without_errors(client: httpx.AsyncClient, accept: str) -> None:
    response = await post(client, {"query": "{ __typename catExchanges { name } }"}, accept)
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert response.json()["errors"][0]["path"] == ["catExchanges"]


async def test_operation_name_selects_the_operation(client: httpx.AsyncClient) -> None:
    document = "query A { a: __typename } query B { b: __typename }"
    chosen = await post(client, {"query": document, "operationName": "B"}, MODERN)
    assert chosen.json() == {"data": {"b": "Query"}}
    for name in ({}, {"operationName": "C"}, {"operationName": ""}):
        refused = await post(client, {"query": document, **name}, MODERN)
        assert refused.status_code == 400
        assert "A, B" in refused.json()["errors"][0]["message"]


async def test_get_reads_all_parameters_from_the_query_string(client: httpx.AsyncClient) -> None:
    document = "query A { a: __typename } query B($yes: Boolean!) { c: __typename @include(if: $yes) b: __typename }"
    parameters = {"query": document, "operationName": "B", "variables": '{"yes": false}', "extensions": "{}"}
    assert (await client.get("/graphql", params=parameters)).json() == {"data": {"b": "Query"}}
    empty = {"query": QUERY, "operationName": "", "variables": "", "extensions": ""}
    assert (await client.get("/graphql", params=empty)).json() == DATA


@pytest.mark.parametrize(
    "parameters",
    [{}, {"variables": "{}"}, {"query": QUERY, "variables": "{"}, {"query": QUERY, "variables": "[]"},
     {"query": QUERY, "extensions": "7"}],
    ids=str,
)  # fmt: skip
async def test_invalid_get_is_400(client: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    assert (await client.get("/graphql", params=parameters)).status_code == 400


@pytest.mark.parametrize("accept", [LEGACY, MODERN])
async def test_mutation_by_get_is_405(client: httpx.AsyncClient, accept: str) -> None:
    parameters = {"query": "query Q { __typename } mutation M { logout }", "operationName": "M"}
    refused = await client.get("/graphql", params=parameters, headers={"accept": accept})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert list(refused.json()) == ["errors"]
    allowed = await client.get("/graphql", params=parameters | {"operationName": "Q"})
    assert allowed.json() == DATA


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_other_methods_are_405_with_allow(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", params={"query": QUERY})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_body_is_limited(client: httpx.AsyncClient) -> None:
    body = json.dumps({"query": QUERY}).encode()
    assert (await post(client, body.ljust(LARGEST_BODY))).json() == DATA
    assert (await post(client, body.ljust(LARGEST_BODY + 1))).status_code == 413


async def test_batches_are_refused(client: httpx.AsyncClient) -> None:
    response = await post(client, [{"query": QUERY}, {"query": QUERY}])
    assert response.status_code == 400
    assert "one JSON object" in response.json()["errors"][0]["message"]


async def test_responses_are_utf_8(client: httpx.AsyncClient) -> None:
    query = "query ($id: Int!) { bot(botId: $id) { name } }"
    response = await post(client, {"query": query, "variables": {"id": "é😀"}})
    assert "é😀" in response.content.decode()


async def test_demo_explains_for_every_caller(client: httpx.AsyncClient) -> None:
    response = await post(client, {"query": "{ me { uid } }", "extensions": {"explain": True}})
    report = response.json()["extensions"]["explain"]
    assert report["steps"][0]["kind"] == "identify"
    assert report["reason"] == "the caller is anonymous"
