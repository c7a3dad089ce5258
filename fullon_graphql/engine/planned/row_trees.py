"""Subtrees: a part of an operation that one SQL statement answers, ready to run for any values.

A statement's text depends on the class of the caller and on the shape of its pages; each combination is written once
and remembered. What the statement leaves open is filled in from other stores, in one batch per hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from graphql.execution.values import VariableValues

from fullon_graphql.auth.principal import Principal
from fullon_graphql.context import Context
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.entities import Key
from fullon_graphql.engine.model.relations import Relation
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.projection import Project, load_distinct, projection
from fullon_graphql.engine.planned.rows import Paged, Placeholder, Row
from fullon_graphql.engine.planned.selections import Selection
from fullon_graphql.engine.planned.sql import (
    CALLER,
    PLACEHOLDER,
    TRAP,
    PageShape,
    Statement,
    StatementBuilder,
    compiled,
    has_not_finite,
    page_values,
    public_text,
)
from fullon_graphql.engine.trace import Trace
from fullon_graphql.lru import LRUCache

BETWEEN = b"\0"
"""Between several texts that are filled together: no JSON text contains it."""


@dataclass(frozen=True, eq=False)
class PreparedStatement:
    """A statement, and the holes in what it answers with how each is written."""

    statement: Statement
    holes: tuple[tuple[Placeholder, Project], ...]

    @cached_property
    def sql(self) -> str:
        """The statement as it may be shown."""
        return public_text(self.statement)


class Run(NamedTuple):
    """What every step of one execution needs to know."""

    context: Context
    variables: VariableValues
    trace: Trace

    @property
    def caller(self) -> Principal:
        """Who is signed in; nothing is planned for anybody else."""
        assert isinstance(self.context.caller, Principal), "checked before anything is run"
        return self.context.caller


@dataclass(frozen=True, eq=False)
class RowTree:
    """A tree of rows, or a connection, called `name` in the response."""

    name: str
    tree: Row | Paged
    written: LRUCache[Any, PreparedStatement] = field(default_factory=lambda: LRUCache(32))

    @cached_property
    def pages(self) -> tuple[Paged, ...]:
        """Its connections, in the order in which the statement numbers their pages."""
        return tuple(_connections(self.tree))

    async def everything(self, run: Run) -> bytes:
        """All there is to see: the connection, or the array of all rows."""
        written, values = self._prepare(run, None)
        text = await self._text(run, written, values)
        assert text is not None, "an aggregate always has a row"
        [answer] = await self._fill(run, written, [text])
        return answer

    async def one(self, run: Run, relation: Relation, key: Key) -> bytes | None:
        """The row that the relation leads to from `key`, or None if the caller may see none."""
        written, values = self._prepare(run, relation)
        values |= {f"key{i}": value for i, value in enumerate(key)}
        text = await self._text(run, written, values)
        if text is None:
            return None
        [answer] = await self._fill(run, written, [text])
        return answer

    async def many(self, run: Run, relation: Relation, keys: Sequence[Key]) -> dict[Key, bytes]:
        """The row that the relation leads to from each of the keys that lead to one, in one statement."""
        if not keys:
            return {}
        written, values = self._prepare(run, relation, by_keys=True)
        values |= {f"keys{i}": [key[i] for key in keys] for i in range(len(relation.remote))}
        started = perf_counter()
        records = await run.context.database.records(written.statement.text, *written.statement.values(values))
        run.trace.step("statement", self.name, started, sql=written.sql, rows=len(records))
        filled = await self._fill(run, written, [text for _, text in records])
        return {keys[place - 1]: text for (place, _), text in zip(records, filled, strict=True)}

    def _prepare(
        self, run: Run, relation: Relation | None, *, by_keys: bool = False
    ) -> tuple[PreparedStatement, dict[str, Any]]:
        values: dict[str, Any] = {CALLER: run.caller.uid}
        shapes = []
        for number, paged in enumerate(self.pages):
            page = _page(paged, run.variables)
            shapes.append(PageShape.of(page))
            values |= page_values(number, page)
        shape = (run.caller.admin, run.caller.scopes, relation, by_keys, *shapes)
        written = self.written.get(shape)
        if written is None:
            started = perf_counter()
            written = self.written.put(shape, self._write(run.caller, shapes, relation, by_keys=by_keys))
            run.trace.step("compile", self.name, started)
        return written, values

    def _write(
        self, caller: Principal, shapes: Sequence[PageShape], relation: Relation | None, *, by_keys: bool
    ) -> PreparedStatement:
        assembly = StatementBuilder(caller, shapes)
        tree = self.tree
        if isinstance(tree, Paged):
            statement = compiled(assembly.paged(tree))
        elif relation is None:
            statement = compiled(assembly.everything(tree))
        elif by_keys:
            statement = compiled(assembly.by_keys(relation, tree), several=True)
        else:
            statement = compiled(assembly.one(relation, tree))
        holes = ((hole, projection(hole.site.type, hole.site.children, related)) for hole in assembly.holes)
        return PreparedStatement(statement, tuple(holes))

    async def _text(self, run: Run, written: PreparedStatement, values: dict[str, Any]) -> str | None:
        started = perf_counter()
        text = await run.context.database.text(written.statement.text, *written.statement.values(values))
        run.trace.step("statement", self.name, started, sql=written.sql, characters=len(text or ""))
        return text

    async def _fill(self, run: Run, written: PreparedStatement, texts: Sequence[str]) -> list[bytes]:
        """The texts with their holes filled: all between them is passed on as PostgreSQL wrote it."""
        answer = texts[0].encode() if len(texts) == 1 else BETWEEN.join(text.encode() for text in texts)
        if TRAP in answer or has_not_finite(answer):
            raise Fallback("a value that the reference has to report", "value")
        if written.holes:
            answer = await _filled(run, written, answer)
        return answer.split(BETWEEN) if texts else []


async def _filled(run: Run, written: PreparedStatement, answer: bytes) -> bytes:
    pieces = PLACEHOLDER.split(answer)
    places = list(zip(pieces[1::3], pieces[2::3], strict=True))
    values: dict[tuple[bytes, bytes], bytes] = {}
    for number, (hole, project) in enumerate(written.holes):
        name = b"%d" % number
        asked = list(dict.fromkeys(key for index, key in places if index == name))
        if asked:
            found = await _values(run, hole, project, asked)
            values |= {(name, key): value for key, value in zip(asked, found, strict=True)}
    pieces[1::3] = [values[place] for place in places]
    del pieces[2::3]
    return b"".join(pieces)


async def _values(run: Run, hole: Placeholder, project: Project, texts: Sequence[bytes]) -> list[bytes]:
    keys = [tuple(orjson.loads(orjson.loads(b'"%b"' % text))) for text in texts]
    found = await load_distinct(run, hole.batch, hole.site, keys)
    return [orjson.dumps(value) for value in await project(run, [found[key] for key in keys])]


def related(relation: Relation, selection: Selection, row: Row) -> Project:
    """How objects that are no entities lead back to rows: all of theirs in one statement."""
    subtree = RowTree(selection.key, row)

    async def project(run: Run, parents: Sequence[object]) -> list[Any]:
        keys = [relation.key_from(parent) for parent in parents]
        found = await subtree.many(run, relation, list(dict.fromkeys(key for key in keys if key is not None)))
        texts = [None if key is None else found.get(key) for key in keys]
        return [None if text is None else orjson.Fragment(text) for text in texts]

    return project


def _page(paged: Paged, variables: VariableValues) -> Page:
    return Page.read(paged.entity, **paged.site.arguments(variables))


def _connections(tree: Paged | Row) -> list[Paged]:
    """The connections of a tree, in the order in which the statement comes to them."""
    if isinstance(tree, Paged):
        below = [part.row for _, part in tree.keys if part.row]
        return [tree, *(paged for row in below for paged in _connections(row))]
    inner = (part if isinstance(part, Paged) else getattr(part, "row", None) for _, part in tree.keys)
    return [paged for part in inner if part is not None for paged in _connections(part)]
