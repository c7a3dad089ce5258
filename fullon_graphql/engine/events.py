"""Events: a valid subscription, and the responses to its events.

As with queries there are two executions with the same result: a projection writes the event, and graphql-core executes
what projections do not support, and every event with an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import (
    ExecutionResult,
    GraphQLSchema,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from fullon_graphql.auth.principal import Principal
from fullon_graphql.context import Context
from fullon_graphql.engine.actual_cost import Charge, Sample, actual_cost
from fullon_graphql.engine.audience import is_for_everybody
from fullon_graphql.engine.background import in_background
from fullon_graphql.engine.documents import Document, DocumentCache, Operation, Syntax
from fullon_graphql.engine.errors import body, with_extensions
from fullon_graphql.engine.planned.arguments import Variables
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.plans import PLAN_BYTES, SELECTION_BYTES, conditions, variant
from fullon_graphql.engine.planned.row_trees import Project, Run, awaits_nothing, projection
from fullon_graphql.engine.planned.selections import Selection, select, size
from fullon_graphql.engine.reference.execution import execute_reference
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import BadUserInput, is_transient
from fullon_graphql.observability.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Shape:
    """How the events of one variant of a subscription are executed."""

    root: Selection
    """Its one field."""
    project: Project | None
    """Writes events; None if the reference has to execute them."""
    is_immediate: bool
    """True if it awaits nothing."""
    for_everybody: bool
    """True if no selected value depends on the caller."""
    root_variables: Mapping[str, str]
    """The root field's arguments whose value is a variable that is used nowhere else: events do not depend on it."""


@dataclass(frozen=True, eq=False)
class EventCost:
    """The cost of the events of a subscription. Equal subscriptions share it, so it belongs to no account."""

    charge: Charge
    sample: Sample
    is_shown: bool
    """True if the client asks for it with each event."""


@dataclass(frozen=True, eq=False)
class Subscription:
    """A subscription whose document and variables are valid."""

    schema: GraphQLSchema
    document: Document
    operation: Operation
    given: Mapping[str, Any]
    """The variables as the client sent them."""
    variables: Variables
    shape: Shape
    metrics: Metrics
    cost: EventCost

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of its root field by Python name.

        Raises:
            BadUserInput: one is missing or null.
        """
        try:
            return self.shape.root.arguments(self.variables)
        except Fallback:
            raise BadUserInput(
                f"An argument of `{self.shape.root.name}` is missing or null. Give it a value."
            ) from None

    def immediate_answers(self, context: Context, events: Sequence[object]) -> list[bytes] | None:
        """The JSON response to each of the events, without awaiting anything.

        None if a store is selected, or an event has an error: `answers` executes them.
        """
        if not self.shape.is_immediate:
            return None
        try:
            self._planned(context, events).send(None)
        except StopIteration as completed:
            planned: list[bytes] | None = completed.value
            return None if planned is None else self._counted(planned)
        raise RuntimeError("A projection of plain fields awaits something.")

    async def answers(self, context: Context, events: Sequence[object], *, complete: bool = False) -> list[bytes]:
        """The JSON response to each of the events.

        Rows and values of all events are loaded together; nothing is remembered between calls.

        Raises:
            Exception: `complete` responses are asked for, and a store does not answer. Otherwise the response has null
                for what could not be read, and errors.
        """
        return await self._executed(context, events, complete)

    async def _executed(self, context: Context, events: Sequence[object], complete: bool) -> list[bytes]:
        planned = await self._planned(context.fork(), events)
        if planned is None and len(events) > 1:  # a single event may be the cause
            return [answer for event in events for answer in await self._executed(context, [event], complete)]
        if planned is not None:
            return self._counted(planned)
        self.metrics.events.add("reference", len(events))
        results = [await self._reference(context.fork(), event) for event in events]
        if complete and (failure := _outage(results)):
            raise failure
        return [self._with_cost(body(result, context.request_id)) for result in results]

    def _counted(self, planned: list[bytes]) -> list[bytes]:
        """The responses of a plan, counted, and with their cost."""
        self.metrics.events.add("plan", len(planned))
        return [self._with_cost(answer) for answer in planned]

    def _with_cost(self, answer: bytes) -> bytes:
        """The response to an event, with `extensions.cost` if the client asks for it."""
        if not (self.cost.is_shown or self.cost.sample.is_due()):
            return answer
        actual = actual_cost([self.shape.root], answer)
        if actual is not None:
            self.metrics.operation_costs.add("event", actual)
        report = {"cost": self.cost.charge.report(actual)}
        return with_extensions(answer, report) if self.cost.is_shown else answer

    async def _planned(self, context: Context, events: Sequence[object]) -> list[bytes] | None:
        """The responses of the projection; None if there is none for the caller, or an event has an error."""
        caller = context.caller
        if self.shape.project is None or not isinstance(caller, Principal):
            return None
        try:
            values = await self.shape.project(Run(context, caller, self.variables, Trace()), events)
            return [orjson.dumps({"data": {self.shape.root.key: value}}) for value in values]
        except Exception:  # the reference meets the same error and reports it
            return None

    async def _reference(self, context: Context, event: object) -> ExecutionResult:
        syntax = await self.document.parsed()
        return await execute_reference(self.schema, syntax.node, context, self.given, self.operation.name, root=event)


async def shape(
    schema: GraphQLSchema, documents: DocumentCache, document: Document, operation: Operation, variables: Variables
) -> Shape:
    """The shape of a subscription; built once for each combination of conditions, remembered with the document.

    Raises:
        BadUserInput: a condition has no value, or nothing is selected.
    """
    key, truth = ("events", variant(operation, variables)), conditions(operation, variables)

    async def make() -> Shape:
        made = await in_background(lambda: _make(schema, document, operation, truth))
        document.plans.put(key, made)
        documents.grow(document, PLAN_BYTES + SELECTION_BYTES * size(made.root))
        return made

    found: Shape | None = document.plans.get(key)
    return found if found is not None else await document.runs(key, make)


def _outage(results: Sequence[ExecutionResult]) -> Exception | None:
    """The first error of a store that did not answer."""
    causes = (error.original_error for result in results for error in result.errors or ())
    return next((cause for cause in causes if cause is not None and is_transient(cause)), None)


def _make(schema: GraphQLSchema, document: Document, operation: Operation, truth: dict[str, Any]) -> Shape:
    if not all(isinstance(value, bool) for value in truth.values()):
        raise BadUserInput("A condition in `@include` or `@skip` has no value.")
    syntax = document.syntax()
    roots = select(schema, syntax.operations[operation.name], syntax.fragments, truth)
    if not roots:
        raise BadUserInput("This subscription selects nothing.")
    root = roots[0]
    project = _projection(root)
    is_immediate = project is not None and awaits_nothing(root.children)
    return Shape(root, project, is_immediate, is_for_everybody(root), _root_variables(root, syntax))


def _projection(root: Selection) -> Project | None:
    try:
        return projection(root.type, root.children)
    except Fallback:
        return None


def _root_variables(root: Selection, syntax: Syntax) -> dict[str, str]:
    finder = _VariableFinder()
    visit(syntax.node, finder)
    return {name: variable for name, variable in root.variables.items() if finder.uses[variable] == 1}


class _VariableFinder(Visitor):
    """Counts the uses of each variable in a document, apart from its declaration."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: Counter[str] = Counter()

    def enter_variable(self, node: VariableNode, _key: Any, parent: Any, *_: Any) -> None:
        self.uses[node.name.value] += not isinstance(parent, VariableDefinitionNode)
