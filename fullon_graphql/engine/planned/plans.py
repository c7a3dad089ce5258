"""Plans: an operation compiled once, then answered as bytes.

Last stage of planning, and the whole planned execution: each root field is a row tree, or the projection of what its
resolver returns, and the pieces are joined. Unsupported constructs, and every error, are left to the reference
execution by raising `Fallback`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from time import perf_counter
from typing import Any, Final, NamedTuple

import orjson
from graphql import GraphQLSchema, OperationType, is_non_null_type

from fullon_graphql.auth.principal import Principal, reader
from fullon_graphql.context import Context
from fullon_graphql.engine.background import in_background
from fullon_graphql.engine.documents import Document, DocumentCache, Operation
from fullon_graphql.engine.fields.root import ALL, MOST_NODES, NODES, ONE, ROOT
from fullon_graphql.engine.introspection import introspect
from fullon_graphql.engine.lists.pages import MAX_PAGE_SIZE
from fullon_graphql.engine.model.entities import Entity, Key, entity_named, entity_of
from fullon_graphql.engine.model.global_ids import Reference
from fullon_graphql.engine.model.relations import Relation
from fullon_graphql.engine.planned.arguments import Variables
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.row_trees import RowTree, Run, projection
from fullon_graphql.engine.planned.rows import paged_of, row_of
from fullon_graphql.engine.planned.selections import Selection, select, size
from fullon_graphql.engine.planned.sql import CALLER
from fullon_graphql.engine.reference.loaders import identity
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import FullonError

Answer = Callable[[Run], Awaitable[bytes | None]]
"""Produces the JSON text of one root field; None is a row that does not exist."""
NULL: Final = b"null"

# Estimated bytes, checked against tracemalloc in tests/engine/test_memory.py.
PLAN_BYTES: Final = 1_000
SELECTION_BYTES: Final = 700


class Root(NamedTuple):
    """A root field of a plan."""

    key: bytes
    """The response key as JSON text with its colon."""
    answer: Answer
    is_required: bool
    """True if it is not null."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The root fields of one variant of an operation."""

    roots: tuple[Root, ...]
    size: int
    """Its estimated bytes without statements."""


async def execute(
    schema: GraphQLSchema,
    documents: DocumentCache,
    document: Document,
    operation: Operation,
    variables: Variables,
    context: Context,
    trace: Trace,
) -> bytes | None:
    """The `data` of an operation as JSON text; None if the reference has to execute it, for the reason in `trace`."""
    try:
        if operation.is_introspection:
            return await _introspected(schema, documents, document, operation, trace)
        if not isinstance(context.caller, Principal):
            raise Fallback("the caller is anonymous", "caller")
        if not context.caller.reads_everything:
            reader(context.caller)  # statements and resolvers check the scopes of what they read
        made = document.plans.get(variant(operation, variables))
        if made is None:
            made = await _plan(schema, documents, document, operation, variables, trace)
        if isinstance(made, Fallback):
            raise Fallback(str(made), made.kind)
        run = Run(context, context.caller, variables, trace, lambda size: documents.grow(document, size))
        pieces = []
        for key, answer, is_required in made.roots:  # a comprehension would be one more coroutine
            text = await answer(run)
            if text is None and is_required:
                raise Fallback("a required row does not exist", "row")
            pieces.append(key + (text or NULL))
        return b"{%b}" % b",".join(pieces)
    except Exception as error:
        _fall_back(trace, error)
        return None


def _fall_back(trace: Trace, error: Exception) -> None:
    """Record why the plan has not answered, so that the reference has to."""
    match error:
        case Fallback():
            trace.fall_back(error.kind, str(error))
        case FullonError():
            trace.fall_back("error", f"{error.code} is for the reference to report")
        case _:
            trace.fall_back("failure", f"{type(error).__name__} while executing the plan")
            trace.failure = error


async def leave_to_reference(trace: Trace) -> None:
    """Used in place of `execute` if planning is off."""
    trace.fall_back("operation", "planning is off")


async def _introspected(
    schema: GraphQLSchema, documents: DocumentCache, document: Document, operation: Operation, trace: Trace
) -> bytes:
    """The `data` of an operation that selects the schema alone; executed once, remembered with the document."""
    key = (operation.name,)

    async def make() -> bytes:
        started = perf_counter()
        made = await in_background(lambda: introspect(schema, document.syntax().node, operation.name))
        document.plans.put(key, made)
        documents.grow(document, len(made))
        trace.step("plan", operation.name or "", started)
        return made

    found: bytes | None = document.plans.get(key)
    return found if found is not None else await document.runs(key, make)


async def _plan(
    schema: GraphQLSchema,
    documents: DocumentCache,
    document: Document,
    operation: Operation,
    variables: Variables,
    trace: Trace,
) -> Plan | Fallback:
    """The new plan of an operation under the given conditions, remembered with the document."""
    key, truth = variant(operation, variables), conditions(operation, variables)

    async def make() -> Plan | Fallback:
        started = perf_counter()
        made = await in_background(lambda: _make(schema, document, operation, truth))
        document.plans.put(key, made)
        documents.grow(document, PLAN_BYTES + made.size if isinstance(made, Plan) else PLAN_BYTES)
        trace.step("plan", operation.name or "", started)
        return made

    return await document.runs(key, make)


def conditions(operation: Operation, variables: Variables) -> dict[str, Any]:
    """The values of the operation's condition variables."""
    return {variable: variables.get(variable) for variable in operation.conditions}


def variant(operation: Operation, variables: Variables) -> tuple[Any, ...]:
    """The key of a plan: the operation, and the values of its condition variables."""
    if not operation.conditions:
        return (operation.name,)
    return (operation.name, *conditions(operation, variables).values())


def _make(schema: GraphQLSchema, document: Document, operation: Operation, truth: dict[str, Any]) -> Plan | Fallback:
    try:
        if operation.kind is not OperationType.QUERY:
            raise Fallback(f"a {operation.kind.value}")
        if not all(isinstance(value, bool) for value in truth.values()):
            raise Fallback("a condition without a value", "input")
        syntax = document.syntax()
        roots = select(schema, syntax.operations[operation.name], syntax.fragments, truth)
        return Plan(tuple(map(_root, roots)), SELECTION_BYTES * sum(map(size, roots)))
    except Fallback as fallback:
        return fallback.with_traceback(None)  # which would keep the syntax tree


def _root(selection: Selection) -> Root:
    is_required = selection.field is None or is_non_null_type(selection.type)
    return Root(b'"%b":' % selection.key.encode(), _answer(selection), is_required)


def _answer(selection: Selection) -> Answer:
    if selection.field is None:
        return _constant(b'"Query"')
    metadata = selection.declared.metadata
    if ROOT in metadata:
        return RowTree(selection.key, paged_of(None, entity_of(metadata[ROOT]), selection)).everything
    if ALL in metadata:
        return RowTree(selection.key, row_of(entity_of(metadata[ALL]), selection.children)).everything
    if ONE in metadata:
        return _one(metadata[ONE], selection)
    if NODES in metadata:
        return _nodes(metadata[NODES], selection)
    return _resolved(selection)


def _constant(text: bytes | None) -> Answer:
    async def answer(_run: Run) -> bytes | None:
        return text

    return answer


_NO_ROW: Final = _constant(None)


def _one(relation: Relation, selection: Selection) -> Answer:
    """The row identified by the field's arguments or by the caller, if there is one."""
    row_tree = RowTree(selection.key, row_of(relation.target, selection.children))
    read_key = _key_of(relation, selection)

    def answer(run: Run) -> Awaitable[bytes | None]:
        key = read_key(run)
        return row_tree.one(run, relation, key) if relation.fits(key) else _NO_ROW(run)

    return answer


def _key_of(relation: Relation, selection: Selection) -> Callable[[Run], Key]:
    """Reads the values to join by from the caller or from the arguments."""
    if relation.local == (CALLER,):
        return lambda run: (run.caller.uid,)
    assert CALLER not in relation.local, "a key is either the caller's or the arguments'"

    def read(run: Run) -> Key:
        arguments = selection.arguments(run.variables)
        return tuple([arguments.get(name) for name in relation.local])

    return read


def _nodes(read: Callable[[Mapping[str, Any]], list[Reference | None]], selection: Selection) -> Answer:
    """Rows of any type by their global ids, null for each that does not exist, with one statement per type."""
    most = selection.declared.metadata.get(MOST_NODES, MAX_PAGE_SIZE)
    row_trees = {
        name: RowTree(selection.key, row_of(entity, children))
        for name, children in selection.possible.items()
        if (entity := entity_named(name))
    }

    async def answer(run: Run) -> bytes:
        places = read(selection.arguments(run.variables))
        if len(places) > most:
            raise Fallback("more ids than allowed", "input")
        keys: dict[Entity, list[Key]] = {}
        for entity, key in dict.fromkeys(place for place in places if place):
            keys.setdefault(entity, []).append(key)
        found: dict[Reference | None, bytes] = {}
        for entity, asked in keys.items():
            rows = await row_trees[entity.name].many(run, identity(entity), asked)
            found |= {(entity, key): text for key, text in rows.items()}
        texts = b",".join(found.get(place, NULL) for place in places)
        return texts if selection.is_single else b"[%b]" % texts

    return answer


def _resolved(selection: Selection) -> Answer:
    """The value of the field's own resolver, written by a projection."""
    if selection.declared.base_resolver is None:
        raise Fallback(f"{selection.name} has no resolver")
    resolver: Any = selection.declared.base_resolver.wrapped_func
    project = projection(selection.type, selection.children)

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
    """The `info` of a resolver that is called without graphql-core."""

    context: Context
