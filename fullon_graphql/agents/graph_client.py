"""The GraphQL server, as a client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import orjson

MOST_BYTES: Final = 4 * 2**20
"""The largest response that is read."""
TIMEOUT_SECONDS: Final = 60.0
CONNECTIONS: Final = 20
"""Connections to the server, and requests at once; others wait for `TIMEOUT_SECONDS`."""


class ServerError(Exception):
    """The server has not answered, or not with GraphQL; it is unknown if a mutation was executed."""


class GraphClient:
    """Sends operations to `<url>/graphql`, with the API key of each caller in the header `key_header`."""

    def __init__(self, client: httpx2.AsyncClient, url: str, key_header: str) -> None:
        self._client = client
        self._address = f"{url.rstrip('/')}/graphql"
        self._key_header = key_header

    async def execute(
        self, key: str, document: str, operation: str, variables: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The response to an operation.

        Raises:
            ServerError: there is none within the time limit, it is larger than `MOST_BYTES`, or it is not GraphQL.
        """
        request = {"query": document, "operationName": operation, "variables": dict(variables or {})}
        headers = {"content-type": "application/json", self._key_header: key}
        try:
            async with self._client.stream(
                "POST", self._address, content=orjson.dumps(request), headers=headers
            ) as response:
                return _graphql(response.status_code, await _bounded(response))
        except httpx2.TimeoutException as error:
            raise ServerError(f"{self._address} has not answered within {TIMEOUT_SECONDS:g} seconds.") from error
        except httpx2.HTTPError as error:
            raise ServerError(f"{self._address} does not answer: {error}.") from error


@asynccontextmanager
async def graph_client(url: str, key_header: str) -> AsyncIterator[GraphClient]:
    """A client that closes its connections at the end of the block."""
    limits = httpx2.Limits(max_connections=CONNECTIONS)
    headers = {"apollographql-client-name": "fullon-graphql mcp"}
    async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, headers=headers) as client:
        yield GraphClient(client, url, key_header)


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ServerError(f"The answer has more than {MOST_BYTES:,} bytes; ask for fewer rows or a shorter period.")
    return bytes(body)


def _graphql(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and ("data" in answer or "errors" in answer):
        return answer
    raise ServerError(f"The server answered with status {status} and no GraphQL response; check the address.")
