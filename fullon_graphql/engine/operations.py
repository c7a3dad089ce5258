"""Operations: the one way in which a query or mutation is run, planned where that can be and by graphql-core else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType, execute
from graphql.pyutils import is_awaitable

from fullon_graphql.context import Context
from fullon_graphql.engine import plans
from fullon_graphql.engine.documents import Document, Documents
from fullon_graphql.engine.rendering import render
from fullon_graphql.engine.trace import Trace
from fullon_graphql.engine.unplanned import Unplanned
from fullon_graphql.errors import FullonError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: a document, the name of one of its operations, and values for its variables."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    read_only: bool = False
    """True where only queries may be run, as with GET."""
    explain: bool = False
    """True where the client would like to know how the answer came about."""


@dataclass(frozen=True, slots=True)
class Response:
    """The JSON body; `executed` is False where nothing was run because the request itself is no good."""

    body: bytes
    executed: bool
    not_allowed: bool = False
    """True for what is sent with GET and needs POST."""


@dataclass
class Operations:
    """Runs operations of one schema, and remembers their documents and plans."""

    schema: GraphQLSchema
    planning: bool = True
    """False runs everything by the reference: for tests that hold the two against each other."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many operations each execution has answered."""

    def __post_init__(self) -> None:
        self.documents = Documents(self.schema)

    async def run(self, request: Request, context: Context, *, explain: bool = False) -> Response:
        """The answer to a request; with `explain`, also how it came about."""
        document = self.documents.read(request.query)
        if refusal := _refusal(document, request, context):
            return refusal
        trace = Trace()
        data = await self._planned(document, request, context, trace) if self.planning else None
        if data is not None:
            self.counts["planned"] += 1
            return Response(b'{"data":%b%b}' % (data, _explained(trace) if explain else b""), executed=True)
        self.counts["reference"] += 1
        result = await self._reference(document, request, context.fork())
        if trace.failure and not result.errors:  # else the reference has met, and logged, the same
            log.warning("plan.failed", exc_info=trace.failure)
        return _response(result, context, trace if explain else None)

    async def _planned(self, document: Document, request: Request, context: Context, trace: Trace) -> bytes | None:
        operation = document.operation(request.operation_name)
        assert operation is not None, "refused before"
        try:
            return await plans.execute(self.schema, document, operation, request.variables, context, trace)
        except Unplanned as reason:
            trace.reason = str(reason)
        except FullonError as error:
            trace.reason = f"{error.code} is for the reference to report"
        except Exception as error:
            trace.reason = f"{type(error).__name__} while executing the plan"
            trace.failure = error
        return None

    async def _reference(self, document: Document, request: Request, context: Context) -> ExecutionResult:
        assert document.node is not None, "refused before"
        result = execute(
            self.schema,
            document.node,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
        )
        return cast("ExecutionResult", await result if is_awaitable(result) else result)


def _refusal(document: Document, request: Request, context: Context) -> Response | None:
    """The answer to what cannot be run, or None."""
    if document.errors:
        errors = [render(error, context.request_id, before_execution=True) for error in document.errors]
        return _error_response(errors)
    operation = document.operation(request.operation_name)
    if operation is None:
        return _bad_request(
            "`operationName` must name one of the operations in `query`: " + ", ".join(map(str, document.operations))
        )
    if operation.operation is OperationType.SUBSCRIPTION:
        return _bad_request("Subscriptions are served over WebSocket (graphql-transport-ws) at this same address.")
    if request.read_only and operation.operation is not OperationType.QUERY:
        return replace(_bad_request("Only queries may be sent with GET; use POST."), not_allowed=True)
    return None


def _bad_request(message: str) -> Response:
    return _error_response([GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})])


def _error_response(errors: list[GraphQLError]) -> Response:
    return Response(orjson.dumps({"errors": [error.formatted for error in errors]}), executed=False)


def _response(result: ExecutionResult, context: Context, trace: Trace | None) -> Response:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        errors = [render(error, context.request_id, before_execution=False) for error in result.errors]
        body["errors"] = [error.formatted for error in errors]
    if trace is not None:
        body["extensions"] = {"explain": trace.report()}
    return Response(orjson.dumps(body), executed=True)


def _explained(trace: Trace) -> bytes:
    return b',"extensions":' + orjson.dumps({"explain": trace.report()})
