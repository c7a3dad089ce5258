"""Filters: which rows of a list are asked for.

What came is read into a *shape* (which columns are compared, how, and how that is combined), which decides the text
of a statement, and into values, which are its parameters. The logic has two values: no comparison holds for a null,
but for `ne`, and `not` finds exactly the other rows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Text,
    and_,
    any_,
    bindparam,
    false,
    literal,
    or_,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from fullon_graphql.engine.model.columns import stored
from fullon_graphql.engine.model.entities import Entity
from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.writing.checks import has_only_storable

DEEPEST: Final = 10
"""How deep `and`, `or` and `not` may stand in one another."""
MOST_PARTS: Final = 200
"""How many comparisons and combinations one filter may have."""
MOST_VALUES: Final = 1000
"""How many values `in` takes."""

Shape = tuple[Any, ...]
"""`("and" | "or" | "not", shape, …)`, or a column and how it is compared: `("status", "eq")`."""

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


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of one entity's rows. With a `prefix`, its values are parameters of that name and a number."""

    shape: Shape
    values: tuple[Any, ...] = ()
    prefix: str | None = None

    @classmethod
    def read(cls, entity: Entity, given: Mapping[str, Any]) -> Filter:
        """The filter that a coerced argument asks for.

        Raises:
            BadUserInput: a null in it, too much of it, or a value that PostgreSQL cannot compare with.
        """
        reading = _Reading(entity)
        shape = reading.group(given, 1)
        return cls(shape, tuple(reading.values))

    def condition(self, entity: Entity) -> ColumnElement[bool]:
        """The filter in SQL, over the entity's own columns."""
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
        return _COMPARISONS[comparison](column, value)

    def _value(self, place: int, type_: Any) -> ColumnElement[Any]:
        if self.prefix is not None:
            return bindparam(f"{self.prefix}{place}", type_=type_)
        value = self.values[place]
        return literal(list(value) if isinstance(value, tuple) else value, type_)


def narrowed(statement: Select[Any], entity: Entity, filter_: Filter | None) -> Select[Any]:
    """`statement` with only the rows of `entity` that the filter lets through."""
    return statement.where(filter_.condition(entity)) if filter_ else statement


@dataclass
class _Reading:
    """One filter while it is read."""

    entity: Entity
    values: list[Any] = field(default_factory=list)
    parts: int = 0

    def group(self, given: Mapping[str, Any], depth: int) -> Shape:
        """All that one input object says."""
        if depth > DEEPEST:
            raise _refusal(f"`filter` goes more than {DEEPEST} levels deep; say it with fewer.")
        return ("and", *(self.part(name, value, depth) for name, value in given.items()))

    def part(self, name: str, value: Any, depth: int) -> Shape:
        """What stands under one name: a combination, or how a column is compared."""
        if value is None:
            raise _refusal(f"`{name}` is null in `filter`. Leave it out, or ask for rows without a value by `isNull`.")
        if name in {"and", "or"}:
            return (name, *(self.counted(self.group(one, depth + 1)) for one in value))
        if name == "not":
            return self.counted(("not", self.group(value, depth + 1)))
        column = self.entity.graphql_names[name]
        return ("and", *(self.counted(self.comparison(column, how, operand)) for how, operand in value.items()))

    def counted(self, shape: Shape) -> Shape:
        """The shape, unless there are too many by now."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise _refusal(f"`filter` has more than {MOST_PARTS} parts; for many values of one column there is `in`.")
        return shape

    def comparison(self, name: str, how: str, operand: Any) -> Shape:
        """How one column is compared, its value put with the others."""
        if operand is None:
            raise _refusal(f"`{how}` is null in `filter`. Leave it out, or ask for rows without a value by `isNull`.")
        if how == "isNull":
            return (name, "null" if operand else "not null")
        column = self.entity.columns[name]
        if how == "in":
            if len(operand) > MOST_VALUES:
                raise _refusal(f"`in` has {len(operand)} values; it takes {MOST_VALUES}.")
            self.values.append(tuple(_stored_value(column, one) for one in operand))
        else:
            self.values.append(_pattern(operand) if how == "like" else _stored_value(column, operand))
        return (name, how)


def _stored_value(column: ColumnElement[Any], value: Any) -> Any:
    """The value as the column has it."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str) and not has_only_storable(value):
        raise _refusal("A text in `filter` has a character that no row can have: NUL, or half of one.")
    return Decimal(str(value)) if stored(column).python_type is Decimal else value


def _pattern(text: str) -> str:
    r"""A pattern of `like`, which PostgreSQL refuses where a lone `\` ends it."""
    if not has_only_storable(text) or (len(text) - len(text.rstrip("\\"))) % 2:
        raise _refusal(r"The pattern of `like` has a NUL, or ends with a `\` that takes no meaning from anything.")
    return text


def _compared_as(column: ColumnElement[Any]) -> Any:
    """The type of a value beside the column: as wide as can be, so that nothing is cut or out of range."""
    if isinstance(column.type, Integer):
        return BigInteger()
    return Text() if isinstance(column.type, String) else column.type


def _refusal(message: str) -> BadUserInput:
    return BadUserInput(message, field="filter")
