"""Filters: conditions on the rows of a list.

An argument is parsed into a *shape* (columns, comparisons and their combination), which determines the text of a
statement, and into values, which are its parameters. The logic has two values: a null satisfies no comparison except
`ne`, and `not` selects exactly the remaining rows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    Select,
    String,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from fullon_graphql.engine.model.columns import comparable, stored
from fullon_graphql.engine.model.entities import Entity
from fullon_graphql.engine.model.times import whole_milliseconds
from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.writing.checks import has_only_storable

DEEPEST: Final = 10
"""The most levels of `and`, `or` and `not`."""
MOST_PARTS: Final = 200
"""The most comparisons and combinations in one filter."""
MOST_VALUES: Final = 1000
"""The most values of one `in`."""

Shape = tuple[Any, ...]
"""`("and" | "or" | "not", shape, …)`, or a column and its comparison: `("status", "eq")`."""

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, values: column == any_(values),
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "like": lambda column, pattern: column.like(pattern),
}


def _within_years(times: ColumnElement[Any]) -> ColumnElement[Any]:
    """The array as sent: the driver sends the first instant of the year 1 as `-infinity`."""
    type_ = times.type.item_type  # type: ignore[attr-defined]  # the type of an array
    minus_infinity, first = (cast(literal_column(f"'{time}'"), type_) for time in ("-infinity", "0001-01-01T00:00:00Z"))
    return func.array_replace(times, minus_infinity, first, type_=times.type)


_MILLISECOND: Final = literal_column("interval '1 millisecond'", Interval)
_TIME_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "eq": lambda column, value: and_(column >= value, column < value + _MILLISECOND),
    "ne": lambda column, value: and_(column >= value, column < value + _MILLISECOND).self_group().is_not(true()),
    "in": lambda column, values: func.date_trunc("milliseconds", column) == any_(_within_years(values)),
}
"""Comparisons of times for equality: to the millisecond, whose start is the value. A range can use an index."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of one entity's rows. With a `prefix`, its values are parameters named by the prefix and a number."""

    shape: Shape
    values: tuple[Any, ...] = ()
    prefix: str | None = None

    @classmethod
    def read(cls, entity: Entity, given: Mapping[str, Any]) -> Filter:
        """The filter of a coerced argument.

        Raises:
            BadUserInput: it contains a null, is too large, or has a value that PostgreSQL cannot compare.
        """
        parser = _Parser(entity)
        shape = parser.group(given, 1)
        return cls(shape, tuple(parser.values))

    def condition(self, entity: Entity) -> ColumnElement[bool]:
        """The filter in SQL over the entity's columns."""
        return self._condition(entity, self.shape, count())

    def _condition(self, entity: Entity, shape: Shape, places: Iterator[int]) -> ColumnElement[bool]:
        match shape:
            case ("and", *parts):
                return and_(true(), *(self._condition(entity, part, places) for part in parts))
            case ("or", *parts):
                return or_(false(), *(self._condition(entity, part, places) for part in parts))
            case ("not", part):
                return self._condition(entity, part, places).self_group().is_not(true())
            case (name, "null"):
                return entity.columns[name].is_(None)
            case (name, "not null"):
                return entity.columns[name].is_not(None)
        name, comparison = shape
        column = entity.columns[name]
        type_ = _compared_as(column)
        value = self._value(next(places), ARRAY(type_) if comparison == "in" else type_)
        comparisons = _TIME_COMPARISONS if _is_time(column) and comparison in _TIME_COMPARISONS else _COMPARISONS
        return comparisons[comparison](comparable(column), value if comparison == "in" else comparable(value))

    def _value(self, place: int, type_: Any) -> ColumnElement[Any]:
        if self.prefix is not None:
            return bindparam(f"{self.prefix}{place}", type_=type_)
        value = self.values[place]
        return literal(list(value) if isinstance(value, tuple) else value, type_)


def narrowed(statement: Select[Any], entity: Entity, filter_: Filter | None) -> Select[Any]:
    """`statement` restricted to the rows of `entity` that match the filter."""
    return statement.where(filter_.condition(entity)) if filter_ else statement


@dataclass
class _Parser:
    """Parses one filter: collects its values and counts its parts."""

    entity: Entity
    values: list[Any] = field(default_factory=list)
    parts: int = 0

    def group(self, given: Mapping[str, Any], depth: int) -> Shape:
        """The shape of one input object: all its fields must hold."""
        if depth > DEEPEST:
            raise _refusal(f"`filter` goes more than {DEEPEST} levels deep; simplify it.")
        return ("and", *(self.part(name, value, depth) for name, value in given.items()))

    def part(self, name: str, value: Any, depth: int) -> Shape:
        """The shape of one field: a combination, or the comparisons of a column."""
        if value is None:
            raise _refusal(f"`{name}` is null in `filter`. Leave it out, or ask for rows without a value by `isNull`.")
        if name in {"and", "or"}:
            return (name, *(self.counted(self.group(one, depth + 1)) for one in value))
        if name == "not":
            return self.counted(("not", self.group(value, depth + 1)))
        column = self.entity.graphql_names[name]
        return ("and", *(self.counted(self.comparison(column, how, operand)) for how, operand in value.items()))

    def counted(self, shape: Shape) -> Shape:
        """Count the shape and return it."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise _refusal(f"`filter` has more than {MOST_PARTS} parts; use `in` for many values of one column.")
        return shape

    def comparison(self, name: str, how: str, operand: Any) -> Shape:
        """The shape of one comparison; its value is appended to `values`."""
        if operand is None:
            raise _refusal(f"`{how}` is null in `filter`. Leave it out, or ask for rows without a value by `isNull`.")
        if how == "isNull":
            return (name, "null" if operand else "not null")
        column = self.entity.columns[name]
        to_milliseconds = _is_time(column) and how in _TIME_COMPARISONS
        if how == "in":
            if len(operand) > MOST_VALUES:
                raise _refusal(f"`in` has {len(operand)} values; it takes {MOST_VALUES}.")
            self.values.append(tuple(_stored_value(column, one, to_milliseconds) for one in operand))
        else:
            self.values.append(_pattern(operand) if how == "like" else _stored_value(column, operand, to_milliseconds))
        return (name, how)


def _is_time(column: ColumnElement[Any]) -> bool:
    return stored(column).python_type is datetime


def _stored_value(column: ColumnElement[Any], value: Any, to_milliseconds: bool) -> Any:  # private
    """The value in the column's Python type."""
    if to_milliseconds:
        return whole_milliseconds(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str) and not has_only_storable(value):
        raise _refusal("A string in `filter` contains NUL or a lone surrogate, which no row can contain.")
    return Decimal(str(value)) if stored(column).python_type is Decimal else value


def _pattern(text: str) -> str:
    r"""A pattern of `like`; PostgreSQL refuses one that ends with an unescaped `\`."""
    if not has_only_storable(text) or (len(text) - len(text.rstrip("\\"))) % 2:
        raise _refusal(r"The pattern of `like` contains a NUL, or ends with a `\` that escapes nothing.")
    return text


def _compared_as(column: ColumnElement[Any]) -> Any:
    """The type of a value compared with the column: the widest of its kind, so that no value is out of range."""
    if isinstance(column.type, Integer):
        return BigInteger()
    return Text() if isinstance(column.type, String) else column.type


def _refusal(message: str) -> BadUserInput:
    return BadUserInput(message, field="filter")
