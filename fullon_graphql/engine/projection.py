"""Projections: Python objects written as JSON values, by code generated for what is selected of them.

What PostgreSQL does not answer (tickers, balances, candles) comes as objects of GraphQL types that are no entities.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any, Protocol, runtime_checkable

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    get_named_type,
)
from graphql.execution.values import VariableValues

from fullon_graphql.context import Context
from fullon_graphql.engine.batches import BATCH, Batch
from fullon_graphql.engine.selections import Selection
from fullon_graphql.engine.unplanned import Unplanned

Project = Callable[[Context, VariableValues, Sequence[Any]], Awaitable[list[Any]]]
"""From values to what JSON is made of, for many at a time and in their order."""


@runtime_checkable
class Columnar(Protocol):
    """A list of objects that are stored column by column, and written as JSON without making the objects."""

    def json_rows(self, fields: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """A dictionary per object, with a key for each (key, field)."""


def projection(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> Project:
    """How values of `type_` are written, with `selections` of it where it is an object type.

    Raises:
        Unplanned: a selected field is resolved by a function of its own, or leads to an entity.
    """
    if isinstance(type_, GraphQLNonNull):
        return _required(projection(type_.of_type, selections))
    if isinstance(type_, GraphQLList):
        return _list(type_.of_type, selections)
    return _optional(_single(type_, selections))


def _single(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> Project:
    if isinstance(type_, GraphQLObjectType):
        return _object(type_, selections)
    write = _leaf(type_)

    async def project(_context: Context, _variables: VariableValues, values: Sequence[Any]) -> list[Any]:
        return [write(value) for value in values]

    return project


def _object(type_: GraphQLObjectType, selections: tuple[Selection, ...]) -> Project:
    plain = [(s.key, s) for s in selections if s.field is None or s.declared.is_basic_field]
    batches = [
        _batched(selection) for selection in selections if selection.field and not selection.declared.is_basic_field
    ]
    write = _generated(type_.name, [selection for _, selection in plain])

    async def project(context: Context, variables: VariableValues, values: Sequence[Any]) -> list[Any]:
        written = write(values)
        for fill in batches:
            await fill(context, variables, values, written)
        return written

    return project


def _generated(type_name: str, selections: list[Selection]) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """Code that reads the plain fields of many objects: one expression, no loop over fields at run time."""
    writers = {f"w{n}": _value_writer(s.type) for n, s in enumerate(selections) if s.field is not None}
    items = []
    for number, selection in enumerate(selections):
        if selection.field is None:
            items.append(f"{selection.key!r}: {type_name!r}")
        else:
            items.append(f"{selection.key!r}: w{number}(v.{selection.declared.python_name})")
    # Keys and names are GraphQL and Python names, so nothing but names gets into the expression.
    return eval(f"lambda values: [{{{', '.join(items)}}} for v in values]", writers)  # type: ignore[no-any-return]  # noqa: S307


def _batched(selection: Selection) -> Callable[..., Awaitable[None]]:
    if BATCH not in selection.declared.metadata:
        raise Unplanned(f"{selection.parent.name}.{selection.node.name.value} is resolved by a function of its own")
    batch: Batch = selection.declared.metadata[BATCH]
    project = projection(selection.type, selection.children)

    async def fill(
        context: Context, variables: VariableValues, values: Sequence[Any], written: list[dict[str, Any]]
    ) -> None:
        keys = [tuple(getattr(value, name) for name in batch.local) for value in values]
        found = await load_distinct(context, batch, keys, selection.arguments(variables))
        answers = await project(context, variables, [found[key] for key in keys])
        for target, answer in zip(written, answers, strict=True):
            target[selection.key] = answer

    return fill


async def load_distinct(
    context: Context, batch: Batch, keys: Sequence[tuple[Any, ...]], arguments: dict[str, Any]
) -> dict[tuple[Any, ...], Any]:
    """The batch's value for each key, asked for once.

    Raises:
        Unplanned: one of them has an error, which is the reference execution's to report.
    """
    distinct = list(dict.fromkeys(keys))
    values = await batch.load(context, distinct, **batch.read(**arguments)) if distinct else []
    if any(isinstance(value, BaseException) for value in values):
        raise Unplanned("a value has an error")
    return dict(zip(distinct, values, strict=True))


def _list(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> Project:
    inner = projection(type_, selections)
    fields = _columnar_fields(type_, selections)

    async def project(context: Context, variables: VariableValues, values: Sequence[Any]) -> list[Any]:
        if fields and all(isinstance(value, Columnar) for value in values):
            return [value.json_rows(fields) for value in values]
        flat = await inner(context, variables, list(chain.from_iterable(value or () for value in values)))
        rest = iter(flat)
        return [None if value is None else [next(rest) for _ in value] for value in values]

    return project


def _columnar_fields(type_: GraphQLOutputType, selections: tuple[Selection, ...]) -> list[tuple[str, str]] | None:
    if not isinstance(get_named_type(type_), GraphQLObjectType):
        return None
    if any(selection.field is None or not selection.declared.is_basic_field for selection in selections):
        return None
    return [(selection.key, selection.declared.python_name) for selection in selections]


def _value_writer(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    """How one plain value is written; null where none may be, and what JSON cannot say, are left to the reference."""
    required = isinstance(type_, GraphQLNonNull)
    inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(inner, GraphQLList):
        return _floats if get_named_type(inner).name == "Float" else _list_writer(_value_writer(inner.of_type))
    leaf = _leaf(inner)

    def write(value: Any) -> Any:
        if value is not None:
            return leaf(value)
        if required:
            raise Unplanned("null where a value is promised")
        return None

    return write


def _list_writer(write_item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: [write_item(item) for item in value]


def _floats(values: list[float]) -> list[float]:
    """A whole column as it is: their sum is finite only where every number is."""
    if not math.isfinite(sum(values)):
        raise Unplanned("a number that JSON cannot say")
    return values


def _leaf(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    if isinstance(type_, GraphQLEnumType):
        return lambda value: value.name if isinstance(value, Enum) else type_.serialize(value)
    if isinstance(type_, GraphQLScalarType):
        return _finite if type_.name == "Float" else type_.serialize
    raise Unplanned(f"{type_} is neither an enum nor a scalar")


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise Unplanned("a number that JSON cannot say")
    return float(value)


def _required(project: Project) -> Project:
    async def checked(context: Context, variables: VariableValues, values: Sequence[Any]) -> list[Any]:
        if any(value is None for value in values):
            raise Unplanned("null where a value is promised")
        return await project(context, variables, values)

    return checked


def _optional(project: Project) -> Project:
    async def skipping(context: Context, variables: VariableValues, values: Sequence[Any]) -> list[Any]:
        there = iter(await project(context, variables, [value for value in values if value is not None]))
        return [None if value is None else next(there) for value in values]

    return skipping


@dataclass(frozen=True)
class PlainInfo:
    """What a resolver that is called without graphql-core finds in `info`."""

    context: Context
