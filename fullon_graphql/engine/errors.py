"""Errors as the graph's clients see them: every one coded, ours masked, in exactly one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import structlog
from graphql import ExecutionResult, FieldNode, GraphQLError, GraphQLFormattedError, GraphQLSyntaxError
from strawberry.extensions import SchemaExtension

from fullon_graphql.errors import BadUserInput, FullonError, Internal, as_fullon_error

log = structlog.get_logger(__name__)

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"


class RenderErrors(SchemaExtension):
    """Gives every error of an operation, or of each event of a subscription, its code and its public message."""

    _streaming = False
    _executed = False

    def on_operation(self) -> Iterator[None]:
        """Render the answer of a query or mutation, once it is complete."""
        self._streaming = self._executed = False
        yield
        if not self._streaming:
            self._render(self.execution_context.result)

    def on_execute(self) -> Iterator[None]:
        """Remember that the document was good: what is wrong from here on is wrong with values."""
        self._executed = True
        yield

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Render one event of a subscription before it leaves."""
        self._streaming = True
        self._render(result)
        yield

    def _render(self, result: Any) -> None:
        if errors := getattr(result, "errors", None):
            request_id = self.execution_context.context.request_id
            result.errors = [render(error, request_id, before_execution=not self._executed) for error in errors]


def body(result: ExecutionResult, request_id: str) -> bytes:
    """What graphql-core answers as JSON text, its errors rendered."""
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = formatted(result.errors, request_id, before_execution=False)
    return orjson.dumps(answer)


def formatted(
    errors: Iterable[GraphQLError], request_id: str, *, before_execution: bool
) -> list[GraphQLFormattedError]:
    """The public form of errors, as JSON has them."""
    return [render(error, request_id, before_execution=before_execution).formatted for error in errors]


def render(error: GraphQLError, request_id: str, *, before_execution: bool) -> GraphQLError:
    """The public form of one error. What is our own fault is logged with its cause under `request_id`."""
    if isinstance(error, GraphQLSyntaxError):
        return _coded(error, error.message, {"code": PARSE_FAILED})
    cause = _cause(error)
    if isinstance(cause, FullonError):
        return _coded(error, error.message, cause.extensions)
    if before_execution and error.nodes:
        return _coded(error, error.message, {"code": VALIDATION_FAILED})
    if cause is None and not _is_of_value(error):  # graphql-core's own words about the variables that came
        return _coded(error, error.message, {"code": BadUserInput.code})
    public = as_fullon_error(cause or error, request_id)
    if isinstance(public, Internal):
        log.error("operation.failed", request_id=request_id, path=error.path, exc_info=cause or error)
    return _coded(error, public.message, public.extensions)


def _cause(error: GraphQLError) -> BaseException | None:
    """What was really raised, beneath the layers of GraphQL errors around it."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _is_of_value(error: GraphQLError) -> bool:
    """True where graphql-core could not say a value that we answered: it blames a field, and no argument of one."""
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
