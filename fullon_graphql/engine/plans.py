"""Plans: an operation compiled once, then answered as bytes.

Last stage of planning, and the whole planned execution: each root field is a subtree of rows or what its own resolver
answers, and the pieces are joined. Whatever a plan does not know, and every error, it leaves to the reference
execution by raising `Unplanned`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLSchema, OperationDefinitionNode, OperationType
from graphql.execution.values import VariableValues

from fullon_graphql.auth.principal import Principal, Scope
from fullon_graphql.context import Context
from fullon_graphql.engine import keys
from fullon_graphql.engine.documents import Document
from fullon_graphql.engine.entities import Entity, Key, entity_named, entity_of
from fullon_graphql.engine.loaders import identity
from fullon_graphql.engine.pages import MAX_PAGE_SIZE
from fullon_graphql.engine.parts import paged_of, row_of
from fullon_graphql.engine.projection import projection
from fullon_graphql.engine.relations import Relation
from fullon_graphql.engine.roots import ALL, NODES, ONE, ROOT
from fullon_graphql.engine.selections import Selection, condition_variables, select
from fullon_graphql.engine.statements import CALLER
from fullon_graphql.engine.subtrees import Run, Subtree, related
from fullon_graphql.engine.trace import Trace
from fullon_graphql.engine.unplanned import Unplanned

Answer = Callable[[Run], Awaitable[bytes]]
"""How the value of one root field is made."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The root fields of one variant of an operation: response key and answer."""

    roots: tuple[tuple[str, Answer], ...]

    async def execute(self, run: Run) -> bytes:
        """The `data` of the response."""
        pieces = [b'"%b":%b' % (key.encode(), await answer(run)) for key, answer in self.roots]
        return b"{%b}" % b",".join(pieces)


async def execute(
    schema: GraphQLSchema,
    document: Document,
    operation: OperationDefinitionNode,
    variables: VariableValues,
    context: Context,
    trace: Trace,
) -> bytes:
    """The `data` of an operation as JSON text.

    Raises:
        Unplanned: the reference execution has to answer, or to report an error.
    """
    if not isinstance(context.caller, Principal):
        raise Unplanned("nobody is signed in", "caller")
    if Scope.READ not in context.caller.scopes:  # services check it too, but not everything asks one
        raise Unplanned("the credential may not read", "caller")
    return await plan(schema, document, operation, variables, trace).execute(Run(context, variables, trace))


def plan(
    schema: GraphQLSchema,
    document: Document,
    operation: OperationDefinitionNode,
    variables: VariableValues,
    trace: Trace,
) -> Plan:
    """The plan of an operation under the given conditions; made once, remembered with the document.

    Raises:
        Unplanned: something in it has to be executed by the reference.
    """
    key, truth = variant(document, operation, variables)
    made = document.plans.get(key)
    if made is None:
        started = perf_counter()
        made = document.plans.put(key, _make(schema, document, operation, truth))
        trace.step("plan", operation.name.value if operation.name else "", started)
    if isinstance(made, Unplanned):
        raise Unplanned(str(made), made.kind)
    return made  # type: ignore[no-any-return]  # plans and refusals are kept in one place


def variant(
    document: Document, operation: OperationDefinitionNode, variables: VariableValues
) -> tuple[Hashable, dict[str, Any]]:
    """What a plan of the document is remembered by: the operation and the values of the variables in conditions."""
    name = operation.name.value if operation.name else None
    names = document.conditions.get(name)
    if names is None:
        names = document.conditions[name] = condition_variables(operation, document.fragments.values())
    truth = {variable: variables.coerced.get(variable) for variable in names}
    return (name, *truth.values()), truth


def _make(
    schema: GraphQLSchema, document: Document, operation: OperationDefinitionNode, truth: dict[str, Any]
) -> Plan | Unplanned:
    try:
        if operation.operation is not OperationType.QUERY:
            raise Unplanned(f"a {operation.operation.value}")
        if not all(isinstance(value, bool) for value in truth.values()):
            raise Unplanned("a condition without a value", "input")
        roots = select(schema, operation, document.fragments, truth)
        return Plan(tuple((selection.key, _answer(selection)) for selection in roots))
    except Unplanned as refusal:
        return refusal


def _answer(selection: Selection) -> Answer:
    if selection.field is None:
        return _constant(b'"Query"')
    metadata = selection.declared.metadata
    if ROOT in metadata:
        return Subtree(selection.key, paged_of(None, entity_of(metadata[ROOT]), selection)).everything
    if ALL in metadata:
        return Subtree(selection.key, row_of(entity_of(metadata[ALL]), selection.children)).everything
    if ONE in metadata:
        return _one(metadata[ONE], selection)
    if NODES in metadata:
        return _nodes(metadata[NODES], selection)
    return _resolved(selection)


def _constant(text: bytes) -> Answer:
    async def answer(_run: Run) -> bytes:
        return text

    return answer


def _one(relation: Relation, selection: Selection) -> Answer:
    """The row that the field's arguments, or the caller, lead to."""
    subtree = Subtree(selection.key, row_of(relation.target, selection.children))

    async def answer(run: Run) -> bytes:
        arguments = {**selection.arguments(run.variables), CALLER: run.caller.uid}
        key = tuple(arguments.get(name) for name in relation.local)
        if not keys.fits(key, relation.remote):
            raise Unplanned("no key that any row could have", "row")
        return await subtree.one(run, relation, key)

    return answer


def _nodes(read: Callable[[Mapping[str, Any]], list[str]], selection: Selection) -> Answer:
    """Rows of any type by their global ids: one statement for each type there is among them."""
    subtrees = {
        name: Subtree(selection.key, row_of(entity, children))
        for name, children in selection.possible.items()
        if (entity := entity_named(name))
    }

    async def answer(run: Run) -> bytes:
        places = [_place(node_id) for node_id in read(selection.arguments(run.variables))]
        if len(places) > MAX_PAGE_SIZE:
            raise Unplanned("more ids than are allowed", "input")
        found: dict[tuple[str, Key], bytes] = {}
        for entity in dict.fromkeys(entity for entity, _ in places):
            asked = list(dict.fromkeys(key for other, key in places if other is entity))
            rows = await subtrees[entity.name].many(run, identity(entity), asked)
            found |= {(entity.name, key): text for key, text in rows.items()}
        texts = [found.get((entity.name, key)) for entity, key in places]
        if None in texts:
            raise Unplanned("no such row", "row")
        one = b",".join(text for text in texts if text is not None)
        return one if selection.is_single else b"[%b]" % one

    return answer


def _place(node_id: str) -> tuple[Entity, Key]:
    try:
        name, *parts = keys.decode(node_id)
    except ValueError:
        raise Unplanned("no id of this graph", "row") from None
    entity = entity_named(name) if isinstance(name, str) else None
    key = keys.read(parts, entity.key) if entity else None
    if entity is None or key is None:
        raise Unplanned("no id of this graph", "row")
    return entity, key


def _resolved(selection: Selection) -> Answer:
    """What the field's own resolver answers, written by a projection."""
    if selection.declared.base_resolver is None:
        raise Unplanned(f"{selection.node.name.value} has no resolver")
    resolver: Any = selection.declared.base_resolver.wrapped_func
    project = projection(selection.type, selection.children, related)

    async def answer(run: Run) -> bytes:
        started = perf_counter()
        value = resolver(None, info=PlainInfo(run.context), **selection.arguments(run.variables))
        if isawaitable(value):
            value = await value
        run.trace.step("resolve", selection.key, started)
        started = perf_counter()
        [written] = await project(run, [value])
        text = orjson.dumps(written)
        run.trace.step("write", selection.key, started, characters=len(text))
        return text

    return answer


class PlainInfo(NamedTuple):
    """What a resolver that is called without graphql-core finds in `info`."""

    context: Context
