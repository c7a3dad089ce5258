"""Plans: an operation compiled once, then answered as bytes.

Last stage of planning, and the whole planned execution: each root field is one SQL statement (or one call of its own
resolver), what lies in other stores is filled in by batches, and the pieces are joined. Whatever a plan does not
know, and every error, it leaves to the reference execution by raising `Unplanned`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson
from graphql import GraphQLSchema, OperationDefinitionNode, OperationType, is_non_null_type
from graphql.execution.values import VariableValues, get_variable_values

from fullon_graphql.auth.principal import Principal
from fullon_graphql.bounded import Bounded
from fullon_graphql.context import Context
from fullon_graphql.engine import keys
from fullon_graphql.engine.documents import Document
from fullon_graphql.engine.entities import entity_of
from fullon_graphql.engine.pages import Page
from fullon_graphql.engine.parts import Hole, Paged, Row, paged_of, row_of
from fullon_graphql.engine.projection import PlainInfo, Project, load_distinct, projection
from fullon_graphql.engine.relations import Relation
from fullon_graphql.engine.roots import ALL, ONE, ROOT
from fullon_graphql.engine.selections import Selection, condition_variables, select
from fullon_graphql.engine.statements import (
    CALLER,
    HOLE,
    NOT_FINITE,
    TRAP,
    Assembly,
    PageShape,
    Statement,
    compiled,
    page_values,
    public_text,
)
from fullon_graphql.engine.trace import Trace
from fullon_graphql.engine.unplanned import Unplanned


@dataclass(frozen=True, eq=False)
class Written:
    """A statement, and the holes in what it answers."""

    statement: Statement
    holes: tuple[Hole, ...]
    projects: tuple[Project, ...]


@dataclass(eq=False)
class SqlRoot:
    """A root field over an entity, answered by one statement."""

    selection: Selection
    relation: Relation | None
    row: Row | None
    paged: Paged | None
    statements: Bounded[Any, Written] = field(default_factory=lambda: Bounded(16))

    @property
    def sites(self) -> tuple[Selection, ...]:
        """The connections, in the order in which the statement numbers their pages."""
        return tuple(_pages_of(self.paged or self.row))


@dataclass(frozen=True, eq=False)
class ResolvedRoot:
    """A root field that its own resolver answers, written by a projection."""

    selection: Selection
    project: Project


@dataclass(frozen=True, eq=False)
class Plan:
    """The root fields of one variant of an operation."""

    roots: tuple[SqlRoot | ResolvedRoot | str, ...]


def plan(
    schema: GraphQLSchema, document: Document, operation: OperationDefinitionNode, variables: VariableValues
) -> Plan:
    """The plan of an operation for the given conditions; made once, remembered with the document.

    Raises:
        Unplanned: something in it has to be executed by the reference.
    """
    name = operation.name.value if operation.name else None
    names = document.plans.get(("conditions", name))
    if names is None:
        names = document.plans.put(("conditions", name), condition_variables(operation, document.fragments.values()))
    truth = {variable: variables.coerced.get(variable) for variable in names}
    key = (name, *truth.values())
    made = document.plans.get(key)
    if made is None:
        made = document.plans.put(key, _make(schema, document, operation, truth))
    if isinstance(made, Unplanned):
        raise Unplanned(*made.args)
    return made  # type: ignore[no-any-return]  # plans and refusals are kept in one place


def _make(
    schema: GraphQLSchema, document: Document, operation: OperationDefinitionNode, truth: dict[str, Any]
) -> Plan | Unplanned:
    try:
        if operation.operation is not OperationType.QUERY:
            raise Unplanned(f"a {operation.operation.value}")
        if not all(isinstance(value, bool) for value in truth.values()):
            raise Unplanned("a condition without a value")
        return Plan(tuple(map(_root, select(schema, operation, document.fragments, truth))))
    except Unplanned as refusal:
        return refusal


def _root(selection: Selection) -> SqlRoot | ResolvedRoot | str:
    if selection.field is None:
        return selection.key
    metadata = selection.declared.metadata
    if ROOT in metadata:
        return SqlRoot(selection, None, None, paged_of(None, entity_of(metadata[ROOT]), selection))
    if ALL in metadata:
        return SqlRoot(selection, None, row_of(entity_of(metadata[ALL]), selection.children), None)
    if ONE in metadata:
        relation: Relation = metadata[ONE]
        return SqlRoot(selection, relation, row_of(relation.target, selection.children), None)
    if selection.declared.base_resolver is None:
        raise Unplanned(f"{selection.node.name.value} has no resolver")
    return ResolvedRoot(selection, projection(selection.type, selection.children))


async def execute(
    schema: GraphQLSchema,
    document: Document,
    operation: OperationDefinitionNode,
    inputs: dict[str, Any],
    context: Context,
    trace: Trace,
) -> bytes:
    """The `data` of an operation as JSON text.

    Raises:
        Unplanned: the reference execution has to answer, or to report an error.
    """
    if not isinstance(context.caller, Principal):
        raise Unplanned("nobody is signed in")
    variables = get_variable_values(schema, operation.variable_definitions or (), inputs)
    if not isinstance(variables, VariableValues):
        raise Unplanned("a variable has no good value")
    made = plan(schema, document, operation, variables)
    pieces = [await _answer(root, context, variables, trace) for root in made.roots]
    return b"{" + b",".join(pieces) + b"}"


async def _answer(
    root: SqlRoot | ResolvedRoot | str, context: Context, variables: VariableValues, trace: Trace
) -> bytes:
    match root:
        case SqlRoot():
            value = await _answer_sql(root, context, variables, trace)
            return b'"%b":%b' % (root.selection.key.encode(), value)
        case ResolvedRoot():
            value = await _answer_resolved(root, context, variables, trace)
            return b'"%b":%b' % (root.selection.key.encode(), value)
        case _:
            return b'"%b":"Query"' % root.encode()


async def _answer_resolved(root: ResolvedRoot, context: Context, variables: VariableValues, trace: Trace) -> bytes:
    declared = root.selection.declared
    assert declared.base_resolver is not None, "planned with one"
    started = perf_counter()
    resolver: Any = declared.base_resolver.wrapped_func
    value = resolver(None, info=PlainInfo(context), **root.selection.arguments(variables))
    if hasattr(value, "__await__"):
        value = await value
    trace.step("resolve", root.selection.key, started)
    started = perf_counter()
    [written] = await root.project(context, variables, [value])
    text = orjson.dumps(written)
    trace.step("project", root.selection.key, started, rows=len(written) if isinstance(written, list) else 1)
    return text


async def _answer_sql(root: SqlRoot, context: Context, variables: VariableValues, trace: Trace) -> bytes:
    caller = context.caller
    assert isinstance(caller, Principal), "checked before"
    values: dict[str, Any] = {CALLER: caller.uid}
    shapes = []
    for number, site in enumerate(root.sites):
        page = _page(site, root, variables)
        shapes.append(PageShape.of(page))
        values |= page_values(number, page)
    if root.relation is not None:
        values |= _key(root.relation, root.selection.arguments(variables) | {CALLER: caller.uid})
    shape = (caller.admin, caller.scopes, *shapes)
    written = root.statements.get(shape)
    if written is None:
        started = perf_counter()
        written = root.statements.put(shape, _write(root, caller, shapes))
        trace.step("compile", root.selection.key, started)
    started = perf_counter()
    text = await context.database.text(written.statement.text, *written.statement.values(values))
    trace.step("statement", root.selection.key, started, sql=public_text(written.statement), characters=len(text or ""))
    if text is None:
        if is_non_null_type(root.selection.type) or root.relation is not None:
            raise Unplanned("no such row")
        return b"null"
    answer = text.encode()
    if TRAP in answer or NOT_FINITE.search(answer):
        raise Unplanned("a value that the reference has to report")
    return await _fill(written, answer, context, variables, trace) if written.holes else answer


def _write(root: SqlRoot, caller: Principal, shapes: Sequence[PageShape]) -> Written:
    assembly = Assembly(caller, shapes)
    if root.paged is not None:
        statement = assembly.paged(root.paged)
    elif root.relation is not None and root.row is not None:
        statement = assembly.one(root.relation, root.row)
    else:
        assert root.row is not None, "a root has a row or a page"
        statement = assembly.everything(root.row)
    projects = tuple(projection(hole.site.type, hole.site.children) for hole in assembly.holes)
    return Written(compiled(statement), tuple(assembly.holes), projects)


def _page(site: Selection, root: SqlRoot, variables: VariableValues) -> Page:
    arguments = site.arguments(variables)
    entity = next(paged.entity for paged in _paged_of(root.paged or root.row) if paged.site is site)
    return Page.read(entity, *(arguments.get(name) for name in ("first", "after", "last", "before")))


def _key(relation: Relation, arguments: dict[str, Any]) -> dict[str, Any]:
    key = tuple(arguments.get(name) for name in relation.local)
    if not keys.fits(key, relation.remote):
        raise Unplanned("no key that any row could have")
    return {f"key{i}": value for i, value in enumerate(key)}


async def _fill(written: Written, answer: bytes, context: Context, variables: VariableValues, trace: Trace) -> bytes:
    """The answer with its holes filled: everything between them is passed on as PostgreSQL wrote it."""
    pieces = HOLE.split(answer)
    filled: dict[tuple[bytes, bytes], bytes] = {}
    for number, hole in enumerate(written.holes):
        name = b"%d" % number
        asked = dict.fromkeys(key for index, key in zip(pieces[1::3], pieces[2::3], strict=True) if index == name)
        if asked:
            started = perf_counter()
            values = await _values(hole, written.projects[number], list(asked), context, variables)
            filled |= {(name, key): value for key, value in zip(asked, values, strict=True)}
            trace.step("batch", hole.site.key, started, rows=len(asked))
    pieces[1::3] = [filled[place] for place in zip(pieces[1::3], pieces[2::3], strict=True)]
    del pieces[2::3]
    return b"".join(pieces)


async def _values(
    hole: Hole, project: Project, texts: list[bytes], context: Context, variables: VariableValues
) -> list[bytes]:
    found_keys = [tuple(orjson.loads(orjson.loads(b'"%b"' % text))) for text in texts]
    found = await load_distinct(context, hole.batch, found_keys, hole.site.arguments(variables))
    return [orjson.dumps(value) for value in await project(context, variables, [found[key] for key in found_keys])]


def _paged_of(tree: Paged | Row | None) -> list[Paged]:
    """The connections of a tree, in the order in which the statement comes to them."""
    if isinstance(tree, Paged):
        below = [paged for _, part in tree.keys if part.row for paged in _paged_of(part.row)]
        return [tree, *below]
    if isinstance(tree, Row):
        found: list[Paged] = []
        for _, part in tree.keys:
            found += _paged_of(part if isinstance(part, Paged) else getattr(part, "row", None))
        return found
    return []


def _pages_of(tree: Paged | Row | None) -> list[Selection]:
    return [paged.site for paged in _paged_of(tree)]
