"""Ordering: the order of a list, and the rows before and after a position in it.

Nulls sort last in both directions. The key is the last criterion, so every row has a unique position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, and_, false, literal, or_, tuple_

from fullon_graphql.engine.model.columns import comparable, is_nullable, parameter_type
from fullon_graphql.engine.model.entities import Entity, Key


class SortDirection(Enum):
    """The direction of a sort."""

    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True)
class By:
    """One column of an order."""

    name: str
    descending: bool = False


class Columns(Protocol):
    """Columns by name, of an entity or of a subquery."""

    def __getitem__(self, name: str, /) -> Any:
        """The column with this name."""


Order = tuple[By, ...]
"""All columns of an order including the key; empty for the default order, by key alone."""


def read(entity: Entity, given: Sequence[Mapping[str, Any]] | None) -> Order:
    """The order of a coerced argument. If a column occurs twice, the first occurrence counts."""
    asked = [By(one["field"].value, one["direction"] is SortDirection.DESC) for one in given or ()]
    found: dict[str, By] = {}
    for by in (*asked, *_by_key(entity)):
        found.setdefault(by.name, by)
    order = tuple(found.values())
    return () if order == _by_key(entity) else order


def name(entity: Entity, order: Order) -> str:
    """The name of a list in this order, as part of its cursors."""
    columns = ", ".join(f"{by.name} {'desc' if by.descending else 'asc'}" for by in order)
    return f"{entity.name} by {columns}" if order else entity.name


def columns(entity: Entity, order: Order) -> tuple[ColumnElement[Any], ...]:
    """The expressions whose values identify a position in the list."""
    return tuple(entity.columns[by.name] for by in entire(entity, order))


def entire(entity: Entity, order: Order) -> Order:
    """The order with the key's columns if it is the default order."""
    return order or _by_key(entity)


def sorting(entity: Entity, order: Order, rows: Columns, *, backward: bool) -> list[ColumnElement[Any]]:
    """The ORDER BY of the list over `rows`, reversed if `backward`."""
    return [
        _sorted(rows[by.name], by.descending != backward, is_nullable(entity.columns[by.name]), backward)
        for by in entire(entity, order)
    ]


def beyond(entity: Entity, order: Order, place: Key, *, before: bool) -> ColumnElement[bool]:
    """The condition for rows after `place` or, if `before`, for rows before it."""
    parts = list(zip(entire(entity, order), columns(entity, order), place, strict=True))
    directions = {by.descending for by, _, _ in parts}
    if len(directions) > 1 or any(is_nullable(column) for _, column, _ in parts):
        return _beyond(parts, before)
    # A row comparison, which PostgreSQL answers with one range of an index.
    left = tuple_(*(comparable(column) for _, column, _ in parts))
    right = tuple_(*(_bound(column, value) for _, column, value in parts))
    return left < right if before != directions.pop() else left > right


def _by_key(entity: Entity) -> Order:
    return tuple(By(name) for name in entity.key_names)


def _sorted(column: Any, descending: bool, nullable: bool, backward: bool) -> ColumnElement[Any]:
    compared = comparable(column)
    directed = compared.desc() if descending else compared.asc()
    if not nullable:
        return directed  # type: ignore[no-any-return]  # of a column that may be of any type
    return directed.nulls_first() if backward else directed.nulls_last()  # type: ignore[no-any-return]  # of a column that may be of any type


def _beyond(parts: Sequence[tuple[By, ColumnElement[Any], Any]], before: bool) -> ColumnElement[bool]:
    (by, column, value), *rest = parts
    further = _further(by, column, value, before)
    if not rest:
        return further
    same = column.is_(None) if value is None else comparable(column) == _bound(column, value)
    return or_(further, and_(same, _beyond(rest, before)))


def _further(by: By, column: ColumnElement[Any], value: Any, before: bool) -> ColumnElement[bool]:
    if value is None:
        return column.is_not(None) if before else false()
    bound = _bound(column, value)
    compared = comparable(column)
    further = compared < bound if before != by.descending else compared > bound
    return further if before or not is_nullable(column) else or_(further, column.is_(None))


def _bound(column: ColumnElement[Any], value: Any) -> ColumnElement[Any]:
    parameter = value if isinstance(value, BindParameter) else literal(value, parameter_type(column))
    # The driver sends the last instant of the year 9999 as infinity.
    return comparable(parameter)  # type: ignore[no-any-return]  # of a column that may be of any type
