"""Errors as the graph's clients see them: every error has a code, and internal errors are masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import structlog
from graphql import ExecutionResult, FieldNode, GraphQLError, GraphQLFormattedError, GraphQLSyntaxError

from fullon_graphql.errors import BadUserInput, FullonError, Internal, Unrepresentable, as_fullon_error, shorten_quotes
from fullon_graphql.observability.metrics import count_graph_errors

log = structlog.get_logger(__name__)

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"


def body(result: ExecutionResult, request_id: str) -> bytes:
    """The JSON body of a result of graphql-core."""
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = errors = formatted(result.errors, request_id, before_execution=False)
        count_graph_errors(errors)
    return orjson.dumps(answer)


def with_extensions(response: bytes, extensions: Mapping[str, Any]) -> bytes:
    """The JSON body of a response, with `extensions` added to it."""
    return b'%b,"extensions":%b}' % (response[:-1], orjson.dumps(extensions))


def formatted(
    errors: Iterable[GraphQLError], request_id: str, *, before_execution: bool
) -> list[GraphQLFormattedError]:
    """The public form of errors as JSON values."""
    return [render(error, request_id, before_execution=before_execution).formatted for error in errors]


def render(error: GraphQLError, request_id: str, *, before_execution: bool) -> GraphQLError:
    """The public form of one error. Internal errors are logged with their cause under `request_id`."""
    if isinstance(error, GraphQLSyntaxError):
        return _coded(error, shorten_quotes(error.message), {"code": PARSE_FAILED})
    cause = _cause(error)
    if isinstance(cause, Unrepresentable):
        log.warning("row.unrepresentable", request_id=request_id, path=error.path, why=cause.message)
        return _coded(error, error.message, {"requestId": request_id} | (error.extensions or {}) | cause.extensions)
    if isinstance(cause, FullonError):
        return _coded(error, shorten_quotes(error.message), (error.extensions or {}) | cause.extensions)
    if before_execution and error.nodes:
        return _coded(error, shorten_quotes(error.message), {"code": VALIDATION_FAILED})
    if cause is None and not _is_of_value(error):  # graphql-core's message about a variable
        return _coded(error, shorten_quotes(error.message), {"code": BadUserInput.code})
    public = as_fullon_error(cause or error, request_id)
    if isinstance(public, Internal):
        log.error("operation.failed", request_id=request_id, path=error.path, exc_info=cause or error)
    return _coded(error, public.message, public.extensions)


def _cause(error: GraphQLError) -> BaseException | None:
    """The exception beneath the GraphQL errors around it."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _is_of_value(error: GraphQLError) -> bool:
    """True if graphql-core could not serialize a resolver's value: the error names a field and no argument."""
    return error.path is not None and all(isinstance(node, FieldNode) for node in error.nodes or ())


def _coded(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
