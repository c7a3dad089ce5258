"""The parameters of a GraphQL request, as HTTP and graphql-transport-ws carry them in JSON."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from fullon_graphql.engine.operations import Request

CLIENT_NAME: Final = "apollographql-client-name"
"""Header, or field of `connection_init`, with the name of the client."""


CLIENT_VERSION: Final = "apollographql-client-version"
"""The same with its version."""


class InvalidParams(Exception):
    """The parameters are no request. The message says why."""


_OBJECT: Final = (dict, NoneType)  # as unions they would be created for every request
_STRING: Final = (str, NoneType)


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
