"""One HTTP request to a webhook, over a connection of its own to an address that was checked.

A general client resolves names by itself and follows redirects, either of which would defeat the check.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Final

import httptools

from fullon_graphql.services.webhooks.addresses import Endpoint

MAX_BYTES: Final = 64 * 1024
"""The most of an answer that is read; only its status matters."""


class NoAnswerError(Exception):
    """The endpoint has not answered, or not with HTTP. The message is for its owner."""


async def post(
    endpoint: Endpoint, addresses: Sequence[str], headers: Mapping[str, str], body: bytes, timeout_seconds: float
) -> int:
    """Send a POST with JSON; returns the status of the answer. Redirects are not followed.

    Raises:
        NoAnswerError: there is no answer within `timeout_seconds`, or none of HTTP.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await _connect(endpoint, addresses)
            try:
                writer.write(_request(endpoint, headers, body))
                await writer.drain()
                return await _status(reader)
            finally:
                writer.transport.abort()  # nothing is left to be written
    except TimeoutError:
        raise NoAnswerError(f"No answer within {timeout_seconds:g} seconds.") from None
    except ssl.SSLError as error:
        raise NoAnswerError(f"TLS failed: {error.reason}.") from None
    except OSError as error:
        raise NoAnswerError(f"The connection failed: {error.strerror or type(error).__name__}.") from None
    except httptools.HttpParserError:
        raise NoAnswerError("The answer is not HTTP.") from None


async def _connect(endpoint: Endpoint, addresses: Sequence[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that accepts one."""
    context = await asyncio.to_thread(_tls) if endpoint.is_secure else None
    name = endpoint.host if endpoint.is_secure else None
    *others, last = addresses
    for address in others:
        try:
            return await asyncio.open_connection(address, endpoint.port, ssl=context, server_hostname=name)
        except OSError:
            continue
    return await asyncio.open_connection(last, endpoint.port, ssl=context, server_hostname=name)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads the certificates of the system


def _request(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "Host": endpoint.authority,
        "User-Agent": "fullon-graphql",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {endpoint.target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


class _Head:
    """The status of the final answer, as the parser reports it."""

    status = 0

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        """Called by the parser, for interim answers too."""
        self.status = self.parser.get_status_code()


async def _status(reader: asyncio.StreamReader) -> int:
    head, received = _Head(), 0
    while head.status < HTTPStatus.OK:
        data = await reader.read(MAX_BYTES)
        received += len(data)
        if not data or received > MAX_BYTES:
            raise NoAnswerError("The answer has no complete head." if data else "The connection was closed.")
        head.parser.feed_data(data)
    return head.status
