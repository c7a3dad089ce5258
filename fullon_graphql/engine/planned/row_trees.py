"""Row trees: the parts of an operation that one SQL statement answers, and how values from other stores are written.

A statement's text depends on the class of the caller and on the shape of its pages; each combination is compiled once
and remembered. Placeholders in its answer are filled from other stores, in one batch per placeholder. Values of other
stores (tickers, balances, candles) are Python objects of GraphQL types without a table: a *projection* writes them as
JSON values, by code generated for the selected fields. Such objects may lead to rows again, so the two are one module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from itertools import chain
from time import perf_counter
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

import asyncpg
import orjson
from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLEnumType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    get_named_type,
    get_nullable_type,
)

from fullon_graphql.auth.principal import Principal
from fullon_graphql.context import Context
from fullon_graphql.database.json import Unreadable, read_json
from fullon_graphql.database.precompiled import Statement
from fullon_graphql.engine.background import in_background
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.batches import BATCH, Batch
from fullon_graphql.engine.model.entities import Key, entity_named
from fullon_graphql.engine.model.relations import RELATION, Relation
from fullon_graphql.engine.planned.arguments import Variables
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.rows import Paged, Placeholder, Row, row_of
from fullon_graphql.engine.planned.selections import Selection
from fullon_graphql.engine.planned.sql import (
    CALLER,
    ERROR_MARKER,
    JSON_MARK,
    JSON_VALUE,
    PLACEHOLDER,
    PageShape,
    StatementBuilder,
    compiled,
    has_not_finite,
    page_values,
)
from fullon_graphql.engine.trace import Trace
from fullon_graphql.errors import Forbidden
from fullon_graphql.joined_calls import SharedRuns
from fullon_graphql.lru import LRUCache

# Estimated bytes, checked against tracemalloc in tests/engine/test_memory.py.
STATEMENT_BYTES: Final = 3_000
PARAMETER_BYTES: Final = 200
PROJECTION_BYTES: Final = 10_000

BETWEEN = "\0"
"""Separates texts that are filled together; no JSON text contains it."""


@dataclass(frozen=True, eq=False)
class PreparedStatement:
    """A compiled statement, and the placeholders in its answer with the projection of each."""

    statement: Statement
    placeholders: tuple[tuple[Placeholder, Project], ...]

    @property
    def size(self) -> int:
        """Its estimated bytes."""
        statement = self.statement
        return (
            STATEMENT_BYTES
            + 2 * len(statement.text)
            + PARAMETER_BYTES * len(statement.parameters)
            + PROJECTION_BYTES * len(self.placeholders)
        )


StatementShape: TypeAlias = tuple[Any, ...]
"""The properties that a statement's text depends on: two of the caller, the relation, by keys or not, and the pages."""
KEYS: Final = tuple(f"key{i}" for i in range(9))
"""The names of the parameters of a key; no key has more columns."""


class Run(NamedTuple):
    """One execution of a plan: its context, variables and trace."""

    context: Context
    caller: Principal
    """The signed-in caller; operations of anonymous callers are not planned."""
    variables: Variables
    trace: Trace
    grow: Callable[[int], None] = lambda _size: None
    """Counts bytes that the plan keeps from now on."""


@dataclass(frozen=True, eq=False)
class RowTree:
    """A row or a connection with everything selected below it; `name` is its response key."""

    name: str
    tree: Row | Paged
    prepared: LRUCache[StatementShape, PreparedStatement | Fallback] = field(default_factory=lambda: LRUCache(32))
    """The statements by shape; a fallback if a table is closed to the callers of that shape."""
    runs: SharedRuns = field(default_factory=SharedRuns)
    """The shapes that are being compiled."""

    @cached_property
    def pages(self) -> tuple[Paged, ...]:
        """Its connections, in the order in which the statement numbers their pages."""
        return tuple(_connections(self.tree))

    def everything(self, run: Run) -> Awaitable[bytes | None]:
        """The connection, or the array of all rows that the caller may see; never None."""
        return self._answer(run, *self._shape(run))

    def one(self, run: Run, relation: Relation, key: Key) -> Awaitable[bytes | None]:
        """The row that the relation leads to from `key`, or None if the caller may see none."""
        shape, values = self._shape(run, relation)
        values.update(zip(KEYS, key, strict=False))
        return self._answer(run, shape, values, is_row=not self.pages)

    async def many(self, run: Run, relation: Relation, keys: Sequence[Key]) -> dict[Key, bytes]:
        """The row that the relation leads to from each key, in one statement; keys that lead to none are missing."""
        if not keys:
            return {}
        shape, values = self._shape(run, relation, by_keys=True)
        prepared = self.prepared.get(shape) or await self._prepare(run, shape)
        if isinstance(prepared, Fallback):
            raise Fallback(str(prepared), prepared.kind)
        values |= {f"keys{i}": [key[i] for key in keys] for i in range(len(relation.remote))}
        started = perf_counter()
        try:
            records = await run.context.database.records(prepared.statement.text, *prepared.statement.values(values))
        except asyncpg.DataError as error:
            raise _reported_value() from error
        run.trace.step("statement", self.name, started, sql=prepared.statement.text, rows=len(records))
        if not records:
            return {}
        filled = _written(BETWEEN.join([text for _, text in records]))
        if prepared.placeholders:
            filled = await _filled(run, prepared, filled)
        texts = filled.split(BETWEEN.encode())
        return {keys[place - 1]: text for (place, _), text in zip(records, texts, strict=True)}

    def _shape(
        self, run: Run, relation: Relation | None = None, *, by_keys: bool = False
    ) -> tuple[StatementShape, dict[str, Any]]:
        """The shape of the statement, and its parameters except for keys."""
        values: dict[str, Any] = {CALLER: run.caller.uid}
        pages = []
        for number, paged in enumerate(self.pages):
            page = _page(paged, run.variables)
            pages.append(PageShape.from_page(page))
            values |= page_values(number, page)
        return (run.caller.admin, run.caller.scopes, relation, by_keys, *pages), values

    async def _prepare(self, run: Run, shape: StatementShape) -> PreparedStatement | Fallback:
        """The statement of a new shape, remembered."""

        async def make() -> PreparedStatement | Fallback:
            started = perf_counter()
            prepared = self.prepared.put(shape, await in_background(partial(self._compile, run.caller, shape)))
            run.grow(STATEMENT_BYTES if isinstance(prepared, Fallback) else prepared.size)
            run.trace.step("compile", self.name, started)
            return prepared

        return await self.runs(shape, make)

    def _compile(self, caller: Principal, shape: StatementShape) -> PreparedStatement | Fallback:
        try:
            return self._compiled(caller, shape)
        except Forbidden:
            return Fallback("a table is closed to the caller", "caller")

    def _compiled(self, caller: Principal, shape: StatementShape) -> PreparedStatement:
        _, _, relation, by_keys, *pages = shape
        builder = StatementBuilder(caller, pages)
        tree = self.tree
        if isinstance(tree, Paged):
            statement = compiled(builder.paged(tree))
        elif relation is None:
            statement = compiled(builder.everything(tree))
        elif by_keys:
            statement = compiled(builder.by_keys(relation, tree), several=True)
        else:
            statement = compiled(builder.one(relation, tree))
        placeholders = ((one, projection(one.site.type, one.site.children)) for one in builder.placeholders)
        return PreparedStatement(statement, tuple(placeholders))

    async def _answer(
        self, run: Run, shape: StatementShape, values: dict[str, Any], *, is_row: bool = False
    ) -> bytes | None:
        """The answer of the statement.

        Concurrent requests share it: single rows without lists (`is_row`) if they have the same text, others if their
        parameters are equal as well.
        """
        prepared = self.prepared.get(shape) or await self._prepare(run, shape)
        if isinstance(prepared, Fallback):
            raise Fallback(str(prepared), prepared.kind)
        sql, parameters = prepared.statement.text, prepared.statement.values(values)
        text: str | None
        started = perf_counter()
        try:
            if is_row:
                row, requests = await run.context.database.found(sql, *parameters)
                text = row[0] if row else None
            else:
                text, requests = await run.context.database.text(sql, *parameters)
        except asyncpg.DataError as error:
            raise _reported_value() from error
        characters = 0 if text is None else len(text)
        run.trace.step("statement", self.name, started, sql=sql, characters=characters, requests=requests)
        if text is None:
            return None
        answer = _written(text)
        return await _filled(run, prepared, answer) if prepared.placeholders else answer


def _written(text: str) -> bytes:
    """The text with its placeholders; everything else stays as PostgreSQL wrote it."""
    if ERROR_MARKER in text or has_not_finite(text):  # quicker than in bytes
        raise _reported_value()
    answer = text.encode()
    if JSON_MARK in text:
        answer = JSON_VALUE.sub(_stored_json, answer)
    return answer


def _stored_json(found: re.Match[bytes]) -> bytes:
    value = read_json(orjson.loads(found[1]))
    if isinstance(value, Unreadable):
        raise Fallback("a JSON value that cannot be written", "value")
    return orjson.dumps(value)


def _reported_value() -> Fallback:
    """The reference has to report a value, e.g. one out of range that PostgreSQL refuses."""
    return Fallback("a value that the reference has to report", "value")


async def _filled(run: Run, prepared: PreparedStatement, answer: bytes) -> bytes:
    pieces = answer.split(PLACEHOLDER)
    places = pieces[1::2]
    keys: list[dict[bytes, bytes]] = [{} for _ in prepared.placeholders]
    for place in dict.fromkeys(places):
        number, _, key = place.partition(b":")
        keys[int(number)][place] = key
    values: dict[bytes, bytes] = {}
    for (placeholder, project), asked in zip(prepared.placeholders, keys, strict=True):
        if asked:
            found = await _values(run, placeholder, project, list(asked.values()))
            values |= zip(asked, found, strict=True)
    pieces[1::2] = map(values.__getitem__, places)
    return b"".join(pieces)


async def _values(run: Run, placeholder: Placeholder, project: Project, texts: Sequence[bytes]) -> list[bytes]:
    keys = [tuple(orjson.loads(text)) for text in texts]
    found = await load_distinct(run, placeholder.batch, placeholder.site, keys)
    return [orjson.dumps(value) for value in await project(run, [found[key] for key in keys])]


def _page(paged: Paged, variables: Variables) -> Page:
    return Page.read(paged.entity, **paged.site.arguments(variables))


def _connections(tree: Paged | Row) -> list[Paged]:
    """The connections of a tree, in the order in which `StatementBuilder` compiles them."""
    if isinstance(tree, Paged):
        below = [member.row for _, member in tree.keys if member.row]
        return [tree, *(paged for row in below for paged in _connections(row))]
    inner = (member if isinstance(member, Paged) else getattr(member, "row", None) for _, member in tree.keys)
    return [paged for member in inner if member is not None for paged in _connections(member)]


Project: TypeAlias = Callable[[Run, Sequence[Any]], Awaitable[list[Any]]]
"""Turns many values into JSON values, in their order."""


@runtime_checkable
class Columnar(Protocol):
    """A list of objects that is stored by column, so that JSON can be written without creating the objects."""

    encodings: dict[Any, Any]
    """JSON of the objects by the function that has written it: answers at the same time may share the list."""

    def json_column(self, name: str) -> Sequence[Any]:
        """The JSON values of the field `name` of every object."""


def projection(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> Project:
    """The projection of values of `type_`; `selections` are the selected fields if it is an object type.

    Raises:
        Fallback: a selected field has its own resolver function.
    """
    if isinstance(type_, GraphQLNonNull):
        return _required(projection(type_.of_type, selections))
    if isinstance(type_, GraphQLList):
        return _list(type_.of_type, selections)
    return _optional(_single(type_, selections))


def awaits_nothing(selections: Sequence[Selection]) -> bool:
    """True if a projection of these fields completes without awaiting anything, because none is in a store."""
    return all(map(_is_plain, selections))


def _single(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> Project:
    if isinstance(type_, GraphQLObjectType):
        return _object(type_, selections)
    write = _leaf(type_)

    async def project(_run: Run, values: Sequence[Any]) -> list[Any]:
        return [write(value) for value in values]

    return project


def _object(type_: GraphQLObjectType, selections: tuple[Selection, ...]) -> Project:
    later = [_later(selection) for selection in selections if not _is_plain(selection)]
    write = _generated(type_.name, selections)

    def write_one(value: Any) -> dict[str, Any]:
        return write([value])[0]

    async def project(run: Run, values: Sequence[Any]) -> list[Any]:
        if len(values) == 1 and not later and hasattr(values[0], "encodings"):
            return [_encoded(values[0], write_one)]
        written = write(values)
        for fill in later:
            await fill(run, values, written)
        return written

    return project


def _is_plain(selection: Selection) -> bool:
    return selection.field is None or selection.declared.is_basic_field


def _generated(type_name: str, selections: Sequence[Selection]) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """Code that reads the plain fields of many objects in one expression.

    Fields from other stores are null in it and filled afterwards, so the keys keep the order of the selection.
    """
    writers: dict[str, Callable[[Any], Any]] = {}
    items = []
    for number, selection in enumerate(selections):
        if selection.field is None:
            items.append(f"{selection.key!r}: {type_name!r}")
        elif not selection.declared.is_basic_field:
            items.append(f"{selection.key!r}: None")
        else:
            writers[f"w{number}"] = _value_writer(selection.type, selection.children)
            items.append(f"{selection.key!r}: w{number}(v.{selection.declared.python_name})")
    # Response keys are GraphQL names and the fields Python names, so the expression contains no client text.
    return eval(f"lambda values: [{{{', '.join(items)}}} for v in values]", writers)  # type: ignore[no-any-return]  # noqa: S307


def _later(selection: Selection) -> Callable[..., Awaitable[None]]:
    """Adds a field from another store to objects that have been written without it."""
    project = _elsewhere(selection)

    async def fill(run: Run, values: Sequence[Any], written: list[dict[str, Any]]) -> None:
        for target, answer in zip(written, await project(run, values), strict=True):
            target[selection.key] = answer

    return fill


def _elsewhere(selection: Selection) -> Project:
    metadata = selection.declared.metadata
    if BATCH in metadata:
        return _batched(metadata[BATCH], selection, projection(selection.type, selection.children))
    if RELATION in metadata and isinstance(get_nullable_type(selection.type), GraphQLObjectType):
        relation: Relation = metadata[RELATION]
        found = _rows_of(relation, selection)
        return _required(found) if isinstance(selection.type, GraphQLNonNull) else found
    raise Fallback(f"{selection.parent.name}.{selection.name} has its own resolver function")


def _batched(batch: Batch, selection: Selection, project: Project) -> Project:
    async def batched(run: Run, values: Sequence[Any]) -> list[Any]:
        keys = [tuple(getattr(value, name) for name in batch.local) for value in values]
        found = await load_distinct(run, batch, selection, keys)
        return await project(run, [found[key] for key in keys])

    return batched


async def load_distinct(
    run: Run, batch: Batch, site: Selection, keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Any]:
    """The batch's value for each distinct key, with the arguments of the field at `site`.

    Raises:
        Fallback: one of the values is an error, which the reference execution reports.
    """
    distinct = list(dict.fromkeys(keys))
    if not distinct:
        return {}
    started = perf_counter()
    values = await batch.values(run.context, distinct, batch.arguments(dict(site.arguments(run.variables))))
    run.trace.step("batch", site.key, started, keys=len(distinct), loader=batch.fetcher)
    if any(isinstance(value, BaseException) for value in values):
        raise Fallback("a value has an error", "value")
    return dict(zip(distinct, values, strict=True))


def _list(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> Project:
    inner = projection(type_, selections)
    write_columns = _columnar(type_, selections)

    async def project(run: Run, values: Sequence[Any]) -> list[Any]:
        if write_columns and all(isinstance(value, Columnar) for value in values):
            return [_encoded(value, write_columns) for value in values]
        flat = await inner(run, list(chain.from_iterable(value or () for value in values)))
        rest = iter(flat)
        return [None if value is None else [next(rest) for _ in value] for value in values]

    return project


def _encoded(value: Any, write: Callable[[Any], Any]) -> orjson.Fragment:
    """The JSON that `write` makes of a value with `encodings`, made once for all answers that share the value."""
    found: orjson.Fragment | None = value.encodings.get(write)
    if found is None:
        found = value.encodings[write] = orjson.Fragment(orjson.dumps(write(value)))
    return found


def _columnar(
    type_: GraphQLOutputType, selections: tuple[Selection, ...]
) -> Callable[[Columnar], list[dict[str, Any]]] | None:
    """Code that writes objects from their columns; None if anything but plain fields is selected."""
    if not selections or any(s.field is None or not s.declared.is_basic_field for s in selections):
        return None
    if not isinstance(get_named_type(type_), GraphQLObjectType):
        return None
    items = ", ".join(f"{selection.key!r}: c{number}" for number, selection in enumerate(selections))
    names = "".join(f"c{number}, " for number in range(len(selections)))
    # Response keys are GraphQL names, so the expression contains no client text.
    write = eval(f"lambda columns: [{{{items}}} for {names} in zip(*columns)]")  # noqa: S307
    fields = [selection.declared.python_name for selection in selections]
    return lambda value: write([value.json_column(name) for name in fields])


def _value_writer(type_: GraphQLOutputType, children: tuple[Selection, ...] = ()) -> Callable[[Any], Any]:
    """The writer of one plain value. It falls back on a null in a non-null field and on NaN and infinity."""
    required = isinstance(type_, GraphQLNonNull)
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(inner, GraphQLList):
        item = inner.of_type
        if get_named_type(item).name == "Float":
            return _floats if isinstance(item, GraphQLNonNull) else _floats_or_nulls
        if isinstance(item, GraphQLNonNull) and item.of_type is GraphQLInt:
            return _integers
        return _list_writer(_value_writer(item, children))
    write_value = _part_writer(inner, children) if isinstance(inner, GraphQLObjectType) else _leaf(inner)

    def write(value: Any) -> Any:
        if value is not None:
            return write_value(value)
        if required:
            raise Fallback("null in a non-null field", "value")
        return None

    return write


def _part_writer(type_: GraphQLObjectType, selections: tuple[Selection, ...]) -> Callable[[Any], Any]:
    """The writer of an object inside another object, if only plain fields of it are selected."""
    elsewhere = [selection for selection in selections if not _is_plain(selection)]
    if elsewhere or entity_named(type_.name):
        raise Fallback(f"{type_.name} is nested in another object and leads to other stores")
    write = _generated(type_.name, selections)
    return lambda value: write([value])[0]


def _list_writer(write_item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: [write_item(item) for item in value]


def _floats(values: list[float]) -> list[float]:
    """A column of numbers; their sum is finite only if every number is."""
    if not math.isfinite(sum(values)):
        raise Fallback("a number that JSON cannot represent", "value")
    return values


def _floats_or_nulls(values: list[float | None]) -> list[float | None]:
    """The same for a column that may have nulls."""
    if not math.isfinite(sum(filter(None, values))):
        raise Fallback("a number that JSON cannot represent", "value")
    return values


def _integers(values: list[int]) -> list[int]:
    """A column of integers of 32 bits."""
    if values and not (
        set(map(type, values)) == {int} and GRAPHQL_MIN_INT <= min(values) <= max(values) <= GRAPHQL_MAX_INT
    ):
        raise Fallback("a value that is no Int", "value")
    return values


def _leaf(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    if isinstance(type_, GraphQLEnumType):
        return lambda value: value.name if isinstance(value, Enum) else type_.serialize(value)
    if isinstance(type_, GraphQLScalarType):
        return _finite if type_.name == "Float" else type_.serialize
    raise Fallback(f"{type_} is neither an enum nor a scalar")


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise Fallback("a number that JSON cannot represent", "value")
    return float(value)


def _required(project: Project) -> Project:
    async def checked(run: Run, values: Sequence[Any]) -> list[Any]:
        if any(value is None for value in values):
            raise Fallback("null in a non-null field", "value")
        written = await project(run, values)
        if any(value is None for value in written):
            raise Fallback("null in a non-null field", "value")
        return written

    return checked


def _optional(project: Project) -> Project:
    async def skipping(run: Run, values: Sequence[Any]) -> list[Any]:
        there = iter(await project(run, [value for value in values if value is not None]))
        return [None if value is None else next(there) for value in values]

    return skipping


def _rows_of(relation: Relation, selection: Selection) -> Project:
    """The rows that objects without a table lead to, for all objects in one statement."""
    row_tree = RowTree(selection.key, row_of(relation.target, selection.children))

    async def project(run: Run, parents: Sequence[object]) -> list[Any]:
        keys = [relation.key_from(parent) for parent in parents]
        found = await row_tree.many(run, relation, list(dict.fromkeys(key for key in keys if key is not None)))
        texts = [None if key is None else found.get(key) for key in keys]
        return [None if text is None else orjson.Fragment(text) for text in texts]

    return project
