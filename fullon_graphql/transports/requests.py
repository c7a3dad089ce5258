"""The parameters of a GraphQL request, as HTTP and graphql-transport-ws carry them in JSON."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

import orjson

from fullon_graphql.engine.operations import Request
from fullon_graphql.lru import ENTRY_BYTES, LRUCache

CLIENT_NAME: Final = "apollographql-client-name"
"""Header, or field of `connection_init`, with the name of the client."""


CLIENT_VERSION: Final = "apollographql-client-version"
"""The same with its version."""


LARGEST_REMEMBERED: Final = 16_384
"""The bytes of a body above which it is parsed each time."""

_REQUEST_BYTES: Final = 600
_VALUE_FACTOR: Final = 32


class InvalidParams(Exception):
    """The parameters are no request. The message says why."""


_OBJECT: Final = (dict, NoneType)  # as unions they would be created for every request
_STRING: Final = (str, NoneType)


class RequestParser:
    """Parses the bodies of requests. A query that was parsed a short time ago is not parsed again.

    Mutations, and documents named by an id, are not remembered: their variables may have a password.
    """

    def __init__(self, cache_bytes: int) -> None:
        self.cache: LRUCache[bytes, Request] = LRUCache(cache_bytes)

    def parse(self, body: bytes) -> Request:
        """The request in a body.

        Raises:
            InvalidParams: it is not JSON, or a parameter is missing or of another type.
        """
        request = self.cache.get(body)
        if request is None:
            try:
                params = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise InvalidParams(f"The body is not JSON: {error}.") from error
            request = request_from_params(params)
            if len(body) <= LARGEST_REMEMBERED and request.query and "mutation" not in request.query:
                self.cache.put(body, request, _size(body, request))
        return request


def _size(body: bytes, request: Request) -> int:
    """The estimated bytes of a parsed body. A JSON value of two characters takes up to 64 bytes as a Python object."""
    text = len(body) + 2 * len(request.query)
    return (
        ENTRY_BYTES
        + _REQUEST_BYTES
        + text
        + (_VALUE_FACTOR * (len(body) - len(request.query)) if request.variables else 0)
    )


def request_from_params(params: Any, *, read_only: bool = False) -> Request:
    """The request.

    Raises:
        InvalidParams: a parameter is missing or of another type.
    """
    if not isinstance(params, dict):
        raise InvalidParams("A request must be one JSON object; batches are not supported.")
    query, variables = params.get("query"), params.get("variables")
    name, extensions = params.get("operationName"), params.get("extensions")
    if not isinstance(variables, _OBJECT) or not isinstance(extensions, _OBJECT):
        raise InvalidParams("`variables` and `extensions` must be JSON objects.")
    asked = extensions or {}
    id_ = _document_id(params.get("documentId"), asked.get("persistedQuery"))
    if not isinstance(query, str) and (id_ is None or query is not None):
        raise InvalidParams("`query` must be a string with a GraphQL document, unless `documentId` names one.")
    if not isinstance(name, _STRING):
        raise InvalidParams("`operationName` must be a string.")
    return Request(
        query or "",
        name or None,
        variables or {},
        read_only=read_only,
        explain=asked.get("explain") is True,
        cost=asked.get("cost") is True,
        document_id=id_,
    )


def _document_id(given: Any, persisted: Any) -> str | None:
    if not isinstance(given, _STRING):
        raise InvalidParams("`documentId` must be a string.")
    if persisted is None:
        return given
    match persisted:
        case {"version": 1, "sha256Hash": str(hash_)}:
            if given is None or given.removeprefix("sha256:") == hash_:
                return hash_
            raise InvalidParams("`documentId` and `extensions.persistedQuery` name different documents.")
        case _:
            raise InvalidParams("`extensions.persistedQuery` must be an object with `version: 1` and `sha256Hash`.")
