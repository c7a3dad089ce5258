"""Operations: executes queries and mutations, by a plan if there is one and by graphql-core otherwise."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias

import orjson
import structlog
from graphql import (
    GraphQLError,
    GraphQLFormattedError,
    GraphQLSchema,
    OperationType,
)

from fullon_graphql.cache import client as cache
from fullon_graphql.context import Context
from fullon_graphql.database import database
from fullon_graphql.engine.actual_cost import Charge, Sample, actual_cost
from fullon_graphql.engine.documents import Document, DocumentCache, Operation
from fullon_graphql.engine.errors import body, formatted, with_extensions
from fullon_graphql.engine.events import EventCost, Subscription, shape
from fullon_graphql.engine.limits import Limits, variables_exceeded
from fullon_graphql.engine.planned import plans
from fullon_graphql.engine.planned.arguments import Variables
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.selections import select
from fullon_graphql.engine.reference.execution import execute_reference
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import BadUserInput, FullonError, QueryTooComplex, RateLimited, Timeout
from fullon_graphql.observability.metrics import Metrics, count_graph_errors, count_limit
from fullon_graphql.observability.tracing import Tracer, current_span, has_request_span
from fullon_graphql.services.rate_limits import Taken
from fullon_graphql.timers import SharedTimer, TimeLimit

log = structlog.get_logger(__name__)


class Request(NamedTuple):
    """A GraphQL request: a document, the name of one of its operations, and its variables."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = {}
    read_only: bool = False
    """True if only queries may be executed, as with GET."""
    explain: bool = False
    """True if the client asks for `extensions.explain`."""
    cost: bool = False
    """True if the client asks for `extensions.cost`."""
    document_id: str | None = None
    """The id by which the client names the document, instead of or beside `query`."""
    registers: str | None = None
    """The hash under which the document is registered once it is known to be valid."""
    is_internal: bool = False
    """True if the document is part of this server."""
    refusal: FullonError | None = None
    """Why the document must not be executed."""


class _Admitted(NamedTuple):
    """An operation that may be executed."""

    operation: Operation
    variables: Variables
    taken: Taken | None
    """The state of the account's minute; None without a limit of it."""


class Response(NamedTuple):
    """The JSON body; `executed` is False if the request was refused before execution."""

    body: bytes
    executed: bool
    not_allowed: bool = False
    """True if the request came with GET and needs POST."""
    extensions: Mapping[str, Any] = {}
    """The `extensions` that the body does not have yet."""


@contextmanager
def _recorded(trace: Trace) -> Iterator[None]:
    trace.redis, trace.sql = [], []
    with cache.recorded_commands(trace.redis), database.recorded_statements(trace.sql):
        yield


_NOT_RECORDED: Final = nullcontext()
SPAN: Final = "GraphQL operation"
"""Name of the span of an operation over a socket."""
_NO_VARIABLES: Final[Variables] = {}


class GraphQLErrors(Exception):
    """The errors that refuse or end a subscription, as clients see them."""

    def __init__(self, errors: Sequence[GraphQLFormattedError]) -> None:
        super().__init__(errors)
        self.errors = errors


OnExecution: TypeAlias = Callable[[Request, Document, Operation, Context], None]
"""Called with every operation that is about to be executed."""


@dataclass
class OperationExecutor:
    """Executes operations of one schema, and remembers their documents and plans."""

    schema: GraphQLSchema
    planning: bool = True
    """False executes everything by the reference, for tests that compare the two executions."""
    metrics: Metrics = field(default_factory=Metrics)
    limits: Limits = field(default_factory=Limits)
    introspection: bool = True
    on_execution: OnExecution | None = None
    usage: bool = False
    """True if documents need what their usage is counted by."""

    def __post_init__(self) -> None:
        self.documents = DocumentCache(self.schema, self.limits, introspection=self.introspection, usage=self.usage)
        self.metrics.watch_cache("documents", self.documents)
        self._timer = SharedTimer(self.limits.seconds)
        self._sample = Sample()

    def run(
        self, request: Request, context: Context, trace: Trace | None = None, *, explain: bool = False
    ) -> Coroutine[Any, Any, Response]:
        """The response to a request. The steps are added to `trace`, and to the response if `explain` is True."""
        trace, tracer = trace or Trace(), context.worker.tracer
        if tracer and not request.refusal:
            if not has_request_span():
                return self._run_in_span(tracer, request, context, trace, explain=explain)
            if span := current_span():
                span.steps = trace.steps
        return self._run(request, context, trace, explain=explain)

    async def _run_in_span(
        self, tracer: Tracer, request: Request, context: Context, trace: Trace, *, explain: bool
    ) -> Response:
        with tracer.operation(SPAN, trace.steps):
            return await self._run(request, context, trace, explain=explain)

    async def _run(self, request: Request, context: Context, trace: Trace, *, explain: bool) -> Response:
        if request.refusal:
            return _error_response([_formatted(request.refusal)])
        document = self.documents.known(request.query) or await self.documents.read(request.query, trace)
        admitted = self._admitted(document, request, context)
        if isinstance(admitted, Response):
            response = admitted
        else:
            operation, variables, _ = admitted
            try:
                with TimeLimit(self._timer), _recorded(trace) if explain else _NOT_RECORDED:
                    data = await (
                        plans.execute(self.schema, self.documents, document, operation, variables, context, trace)
                        if self.planning
                        else plans.leave_to_reference(trace)
                    )
                    if data is None:
                        response = await self._by_reference(document, request, context, trace)
                    else:
                        response = Response(b'{"data":%b}' % data, executed=True)
                    if request.cost or self._sample.is_due():
                        response = await self._with_cost(response, document, admitted, request)
            except TimeoutError:
                response = self._timed_out(context)
        _count(self.metrics, trace, executed=response.executed)
        if explain and response.executed:
            response = response._replace(extensions={**response.extensions, "explain": trace.report()})
        if response.extensions:
            return response._replace(body=with_extensions(response.body, response.extensions))
        return response

    async def is_subscription(self, request: Request) -> bool:
        """True if the request's operation is a subscription that is not refused."""
        if request.refusal:
            return False
        operation = (await self.documents.read(request.query, Trace())).operation(request.operation_name)
        return operation is not None and operation.kind is OperationType.SUBSCRIPTION

    async def subscription(self, request: Request, context: Context) -> Subscription:
        """The subscription of a request for which `is_subscription` is True.

        Raises:
            GraphQLErrors: its document or its variables are invalid.
        """
        document = await self.documents.read(request.query, Trace())
        if document.errors:
            raise GraphQLErrors(document.errors)
        operation = document.operation(request.operation_name)
        assert operation is not None, "checked by is_subscription"
        if context.worker.tracer:
            _describe(operation)
        variables = self._variables(document, operation, request)
        if isinstance(variables, list):
            raise GraphQLErrors(formatted(variables, context.request_id, before_execution=False))
        taken = self._charge(operation, variables, context)
        if isinstance(taken, GraphQLError):
            raise GraphQLErrors(formatted([taken], context.request_id, before_execution=False))
        if self.on_execution:
            self.on_execution(request, document, operation, context)
        shape_ = await shape(self.schema, self.documents, document, operation, variables)
        cost = EventCost(self._charged(operation, variables, None), self._sample, is_shown=request.cost)
        return Subscription(self.schema, document, operation, request.variables, variables, shape_, self.metrics, cost)

    def _timed_out(self, context: Context) -> Response:
        """The response to an operation that was canceled after `limits.seconds`, and its statements with it."""
        self.metrics.timeouts.inc()
        message = f"The operation took longer than {self.limits.seconds:g} seconds and was canceled."
        error = GraphQLError(message, original_error=Timeout(message))
        return _error_response(formatted([error], context.request_id, before_execution=False))

    def _admitted(self, document: Document, request: Request, context: Context) -> _Admitted | Response:
        """The operation of a request, charged for; the response if it must not be executed."""
        operation = _permitted(document, request)
        if isinstance(operation, Response):
            return operation
        if context.worker.tracer:
            _describe(operation)
        variables = self._variables(document, operation, request)
        if isinstance(variables, list):
            return _error_response(formatted(variables, context.request_id, before_execution=False))
        taken = self._charge(operation, variables, context)
        if isinstance(taken, GraphQLError):
            return _error_response(formatted([taken], context.request_id, before_execution=False))
        if self.on_execution:
            self.on_execution(request, document, operation, context)
        context.is_fresh = operation.kind is not OperationType.QUERY
        return _Admitted(operation, variables, taken)

    def _variables(self, document: Document, operation: Operation, request: Request) -> Variables | list[GraphQLError]:
        if not request.variables and operation.variables == ():
            return _NO_VARIABLES
        if request.variables and (message := variables_exceeded(request.variables, self.limits)):
            count_limit("QUERY_VARIABLE_LIMIT")
            return [GraphQLError(message, original_error=QueryTooComplex(message))]
        return document.variables(self.schema, operation, request.variables)

    def _charge(self, operation: Operation, variables: Variables, context: Context) -> Taken | GraphQLError | None:
        """Charge the account with the estimated cost, of a subscription with that of one event.

        The state of the account's minute, which is None without a limit of it; the error if the operation costs more
        than is allowed, or more than the account has left in this minute.
        """
        limit, total = self.limits.cost, operation.estimate.total(variables)
        if limit is not None and total > limit:
            self.metrics.costs.add("refused", total)
            message = (
                f"This operation has an estimated cost of {total}; {limit} is allowed. Request smaller pages or ranges."
            )
            return GraphQLError(message, original_error=QueryTooComplex(message, cost=total, limit=limit))
        try:
            taken = context.worker.cost_limits.spend(context.caller, context.address, total)
        except RateLimited as error:
            self.metrics.costs.add("refused", total)
            return GraphQLError(error.message, original_error=error)
        self.metrics.costs.add("accepted", total)
        self.metrics.operation_costs.add("estimated", total)
        return taken

    def _charged(self, operation: Operation, variables: Variables, taken: Taken | None) -> Charge:
        """The charge as clients see it."""
        return Charge(operation.estimate.total(variables), self.limits.cost, taken)

    async def _with_cost(
        self, response: Response, document: Document, admitted: _Admitted, request: Request
    ) -> Response:
        """The response, whose actual cost is counted, with the cost as an extension if the client asks for it."""
        operation, variables, taken = admitted
        actual = await self._actual_cost(document, operation, variables, response.body)
        if not request.cost:
            return response
        charge = self._charged(operation, variables, taken)
        return response._replace(extensions={"cost": charge.report(actual)})

    async def _actual_cost(
        self, document: Document, operation: Operation, variables: Variables, response: bytes
    ) -> int | None:
        """The cost of a response; None if it is too large to be measured, or selects introspection."""
        syntax, truth = await document.parsed(), plans.conditions(operation, variables)
        try:
            roots = select(self.schema, syntax.operations[operation.name], syntax.fragments, truth)
        except Fallback:
            return None
        actual = actual_cost(roots, response)
        if actual is not None:
            self.metrics.operation_costs.add("actual", actual)
        return actual

    async def _by_reference(self, document: Document, request: Request, context: Context, trace: Trace) -> Response:
        started = perf_counter()
        syntax = await document.parsed()
        result = await execute_reference(
            self.schema, syntax.node, context.fork(), request.variables, request.operation_name
        )
        trace.step("reference", "", started)
        if trace.failure and not result.errors:  # otherwise the reference has logged the same error
            log.warning("plan.failed", exc_info=trace.failure)
        return Response(body(result, context.request_id), executed=True)


def _permitted(document: Document, request: Request) -> Operation | Response:
    """The operation of a request, or the response if it cannot be executed."""
    if document.errors:
        return _error_response(document.errors)
    operation = document.operation(request.operation_name)
    if operation is None:
        return _bad_request(
            "`operationName` must name one of the operations in `query`: " + ", ".join(map(str, document.operations))
        )
    if operation.kind is OperationType.SUBSCRIPTION:
        return _bad_request(
            "Subscriptions are served at this address over WebSocket (graphql-transport-ws), or over HTTP if the"
            " request accepts text/event-stream or multipart/mixed;subscriptionSpec=1.0."
        )
    if request.read_only and operation.kind is not OperationType.QUERY:
        return _bad_request("Only queries may be sent with GET; use POST.")._replace(not_allowed=True)
    return operation


def _describe(operation: Operation) -> None:
    """Add the operation to its span."""
    if span := current_span():
        span.operation = operation


def _formatted(error: FullonError) -> GraphQLFormattedError:
    return GraphQLError(error.message, extensions=error.extensions).formatted


def _bad_request(message: str) -> Response:
    return _error_response([GraphQLError(message, extensions={"code": BadUserInput.code}).formatted])


def _error_response(errors: Sequence[GraphQLFormattedError]) -> Response:
    count_graph_errors(errors)
    return Response(orjson.dumps({"errors": errors}), executed=False)


def _count(metrics: Metrics, trace: Trace, *, executed: bool) -> None:
    metrics.documents.add("miss" if "parse" in trace.stages else "hit")
    for step in trace.steps:
        metrics.stages.add(step.stage, step.seconds)
    if not executed:
        return
    if trace.fallback:
        metrics.operations.add("reference")
        metrics.fallbacks.add(trace.fallback)
    else:
        metrics.operations.add("plan")
        metrics.plans.add("miss" if trace.executed("plan", "compile") else "hit")
