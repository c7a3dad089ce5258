"""Projections: Python objects written as JSON values, by code generated for what is selected of them.

What PostgreSQL does not answer (tickers, balances, candles) comes as objects of GraphQL types that are no entities.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    get_named_type,
    get_nullable_type,
)

from fullon_graphql.engine.model.batches import BATCH, Batch
from fullon_graphql.engine.model.entities import entity_named
from fullon_graphql.engine.model.relations import RELATION, Relation
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.rows import Row, row_of
from fullon_graphql.engine.planned.selections import Selection

if TYPE_CHECKING:
    from fullon_graphql.engine.planned.row_trees import Run

Project = Callable[["Run", Sequence[Any]], Awaitable[list[Any]]]
"""From values to what JSON is made of, for many at a time and in their order."""

Related = Callable[[Relation, Selection, Row], Project]
"""How objects lead to rows through a relation. Given from above: trees of rows are written with projections too."""


@runtime_checkable
class Columnar(Protocol):
    """A list of objects that are stored column by column, and written as JSON without making the objects."""

    def json_column(self, name: str) -> Sequence[Any]:
        """The field `name` of every object, as JSON has it."""


def projection(type_: GraphQLOutputType, selections: tuple[Selection, ...], related: Related) -> Project:
    """How values of `type_` are written, with `selections` of it where it is an object type.

    Raises:
        Unplanned: a selected field is resolved by a function of its own, or leads to an entity.
    """
    if isinstance(type_, GraphQLNonNull):
        return _required(projection(type_.of_type, selections, related))
    if isinstance(type_, GraphQLList):
        return _list(type_.of_type, selections, related)
    return _optional(_single(type_, selections, related))


def _single(type_: GraphQLOutputType, selections: tuple[Selection, ...], related: Related) -> Project:
    if isinstance(type_, GraphQLObjectType):
        return _object(type_, selections, related)
    write = _leaf(type_)

    async def project(_run: Run, values: Sequence[Any]) -> list[Any]:
        return [write(value) for value in values]

    return project


def _object(type_: GraphQLObjectType, selections: tuple[Selection, ...], related: Related) -> Project:
    later = [_later(selection, related) for selection in selections if not _is_plain(selection)]
    write = _generated(type_.name, selections)

    async def project(run: Run, values: Sequence[Any]) -> list[Any]:
        written = write(values)
        for fill in later:
            await fill(run, values, written)
        return written

    return project


def _is_plain(selection: Selection) -> bool:
    return selection.field is None or selection.declared.is_basic_field


def _generated(type_name: str, selections: Sequence[Selection]) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """Code that reads the plain fields of many objects: one expression, no loop over fields at run time.

    A field that leads elsewhere has its place among them, for keys are answered in the order in which they are asked.
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
    # Keys and names are GraphQL and Python names, so nothing but names gets into the expression.
    return eval(f"lambda values: [{{{', '.join(items)}}} for v in values]", writers)  # type: ignore[no-any-return]  # noqa: S307


def _later(selection: Selection, related: Related) -> Callable[..., Awaitable[None]]:
    """How a field that leads elsewhere is added to objects that are written but for it."""
    project = _elsewhere(selection, related)

    async def fill(run: Run, values: Sequence[Any], written: list[dict[str, Any]]) -> None:
        for target, answer in zip(written, await project(run, values), strict=True):
            target[selection.key] = answer

    return fill


def _elsewhere(selection: Selection, related: Related) -> Project:
    metadata = selection.declared.metadata
    if BATCH in metadata:
        return _batched(metadata[BATCH], selection, projection(selection.type, selection.children, related))
    if RELATION in metadata and isinstance(get_nullable_type(selection.type), GraphQLObjectType):
        relation: Relation = metadata[RELATION]
        found = related(relation, selection, row_of(relation.target, selection.children))
        return _required(found) if isinstance(selection.type, GraphQLNonNull) else found
    raise Fallback(f"{selection.parent.name}.{selection.node.name.value} is resolved by a function of its own")


def _batched(batch: Batch, selection: Selection, project: Project) -> Project:
    async def batched(run: Run, values: Sequence[Any]) -> list[Any]:
        keys = [tuple(getattr(value, name) for name in batch.local) for value in values]
        found = await load_distinct(run, batch, selection, keys)
        return await project(run, [found[key] for key in keys])

    return batched


async def load_distinct(
    run: Run, batch: Batch, site: Selection, keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Any]:
    """The batch's value for each key, asked for once, as the field at `site` asks for it.

    Raises:
        Unplanned: one of them has an error, which is the reference execution's to report.
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


def _list(type_: GraphQLOutputType, selections: tuple[Selection, ...], related: Related) -> Project:
    inner = projection(type_, selections, related)
    write_columns = _columnar(type_, selections)

    async def project(run: Run, values: Sequence[Any]) -> list[Any]:
        if write_columns and all(isinstance(value, Columnar) for value in values):
            return [write_columns(value) for value in values]
        flat = await inner(run, list(chain.from_iterable(value or () for value in values)))
        rest = iter(flat)
        return [None if value is None else [next(rest) for _ in value] for value in values]

    return project


def _columnar(
    type_: GraphQLOutputType, selections: tuple[Selection, ...]
) -> Callable[[Columnar], list[dict[str, Any]]] | None:
    """Code that writes objects from their columns; None where something else is selected of them."""
    if not selections or any(s.field is None or not s.declared.is_basic_field for s in selections):
        return None
    if not isinstance(get_named_type(type_), GraphQLObjectType):
        return None
    items = ", ".join(f"{selection.key!r}: c{number}" for number, selection in enumerate(selections))
    names = "".join(f"c{number}, " for number in range(len(selections)))
    # Keys are GraphQL names, so nothing but names gets into the expression.
    write = eval(f"lambda columns: [{{{items}}} for {names} in zip(*columns)]")  # noqa: S307
    fields = [selection.declared.python_name for selection in selections]
    return lambda value: write([value.json_column(name) for name in fields])


def _value_writer(type_: GraphQLOutputType, children: tuple[Selection, ...] = ()) -> Callable[[Any], Any]:
    """How one plain value is written; null where none may be, and what JSON cannot say, are left to the reference."""
    required = isinstance(type_, GraphQLNonNull)
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(inner, GraphQLList):
        item = inner.of_type
        return _floats if get_named_type(item).name == "Float" else _list_writer(_value_writer(item, children))
    write_value = _part_writer(inner, children) if isinstance(inner, GraphQLObjectType) else _leaf(inner)

    def write(value: Any) -> Any:
        if value is not None:
            return write_value(value)
        if required:
            raise Fallback("null where a value is promised", "value")
        return None

    return write


def _part_writer(type_: GraphQLObjectType, selections: tuple[Selection, ...]) -> Callable[[Any], Any]:
    """How an object that is a part of another is written, where all that is asked of it is plain."""
    elsewhere = [selection for selection in selections if not _is_plain(selection)]
    if elsewhere or entity_named(type_.name):
        raise Fallback(f"{type_.name} is part of another object, and leads elsewhere")
    write = _generated(type_.name, selections)
    return lambda value: write([value])[0]


def _list_writer(write_item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: [write_item(item) for item in value]


def _floats(values: list[float]) -> list[float]:
    """A whole column as it is: their sum is finite only where every number is."""
    if not math.isfinite(sum(values)):
        raise Fallback("a number that JSON cannot say", "value")
    return values


def _leaf(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    if isinstance(type_, GraphQLEnumType):
        return lambda value: value.name if isinstance(value, Enum) else type_.serialize(value)
    if isinstance(type_, GraphQLScalarType):
        return _finite if type_.name == "Float" else type_.serialize
    raise Fallback(f"{type_} is neither an enum nor a scalar")


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise Fallback("a number that JSON cannot say", "value")
    return float(value)


def _required(project: Project) -> Project:
    async def checked(run: Run, values: Sequence[Any]) -> list[Any]:
        if any(value is None for value in values):
            raise Fallback("null where a value is promised", "value")
        written = await project(run, values)
        if any(value is None for value in written):
            raise Fallback("null where a value is promised", "value")
        return written

    return checked


def _optional(project: Project) -> Project:
    async def skipping(run: Run, values: Sequence[Any]) -> list[Any]:
        there = iter(await project(run, [value for value in values if value is not None]))
        return [None if value is None else next(there) for value in values]

    return skipping
