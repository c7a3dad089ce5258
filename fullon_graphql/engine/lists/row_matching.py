"""Filters evaluated in Python on the values of one row, with the results of PostgreSQL.

A value that is not known makes a comparison undecided: then a filter may match, or it does not. The order of texts
depends on the collation of the database, so filters that compare it are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Final

from fullon_graphql.engine.lists.filters import Filter, Shape
from fullon_graphql.engine.model.columns import stored
from fullon_graphql.engine.model.entities import Entity
from fullon_graphql.engine.model.times import whole_milliseconds
from fullon_graphql.errors import BadUserInput

Row = Mapping[str, Any]
"""Values of columns by Python name; columns that are not known are missing."""
Match = Callable[[Row], bool | None]
"""True or False; None if it depends on a column that is not known."""

_UNKNOWN: Final = object()
_ORDERING: Final = frozenset({"lt", "lte", "gt", "gte"})
_INDEXED: Final = (int, str, bool)


def matcher(entity: Entity, filter_: Filter) -> Match:
    """The filter as a function of a row.

    Raises:
        BadUserInput: it compares the order of texts.
    """
    return _group(entity, filter_, filter_.shape, count())


def equality(entity: Entity, filter_: Filter, preferred: frozenset[str]) -> tuple[str, frozenset[Any]] | None:
    """A column and its values, one of which every matching row has; None if the filter requires none.

    Columns in `preferred` come first.
    """
    found = [
        (name, values)
        for name, values in _required(filter_, filter_.shape, count(), holds=True)
        if stored(entity.columns[name]).python_type in _INDEXED
    ]
    return min(found, key=lambda one: (one[0] not in preferred, len(one[1])), default=None)


def _group(entity: Entity, filter_: Filter, shape: Shape, places: Iterator[int]) -> Match:
    match shape:
        case ("and", *parts):
            return _all([_group(entity, filter_, part, places) for part in parts])
        case ("or", *parts):
            return _any([_group(entity, filter_, part, places) for part in parts])
        case ("not", part):
            return _not(_group(entity, filter_, part, places))
        case (name, "null"):
            return _on(name, lambda value: value is None)
        case (name, "not null"):
            return _on(name, lambda value: value is not None)
    name, comparison = shape
    type_ = stored(entity.columns[name]).python_type
    if type_ is str and comparison in _ORDERING:
        raise BadUserInput(
            f"`{comparison}` of a text is not available in the filter of a stream. Use `eq`, `in` or `like`.",
            field="filter",
        )
    return _on(name, _comparison(comparison, filter_.values[next(places)], is_time=type_ is datetime))


def _required(
    filter_: Filter, shape: Shape, places: Iterator[int], *, holds: bool
) -> Iterator[tuple[str, frozenset[Any]]]:
    """The equalities that hold for every matching row. `places` advances over all values of the shape."""
    match shape:
        case ("and", *parts):
            for part in parts:
                yield from _required(filter_, part, places, holds=holds)
        case ("or" | "not", *parts):
            for part in parts:
                yield from _required(filter_, part, places, holds=False)
        case (_, "null" | "not null"):
            pass
        case (name, comparison):
            value = filter_.values[next(places)]
            if holds and comparison in {"eq", "in"}:
                yield name, frozenset(value if comparison == "in" else [value])


def _all(parts: list[Match]) -> Match:
    if len(parts) == 1:
        return parts[0]

    def match(row: Row) -> bool | None:
        result: bool | None = True
        for part in parts:
            found = part(row)
            if found is False:
                return False
            if found is None:
                result = None
        return result

    return match


def _any(parts: list[Match]) -> Match:
    def match(row: Row) -> bool | None:
        result: bool | None = False
        for part in parts:
            found = part(row)
            if found:
                return True
            if found is None:
                result = None
        return result

    return match


def _not(part: Match) -> Match:
    def match(row: Row) -> bool | None:
        found = part(row)
        return None if found is None else not found

    return match


def _on(name: str, condition: Callable[[Any], bool]) -> Match:
    def match(row: Row) -> bool | None:
        value = row.get(name, _UNKNOWN)
        return None if value is _UNKNOWN else condition(value)

    return match


def _comparison(comparison: str, operand: Any, *, is_time: bool) -> Callable[[Any], bool]:
    """The comparison with `operand`; a null satisfies none but `ne`."""
    if comparison == "like":
        matches = _pattern(operand).fullmatch
        return lambda value: value is not None and matches(value) is not None
    if comparison == "in":
        operands = frozenset(map(_sortable, operand))
        return lambda value: value is not None and _equal_form(value, is_time) in operands
    wanted = _sortable(operand)
    match comparison:
        case "eq":
            return lambda value: value is not None and _equal_form(value, is_time) == wanted
        case "ne":
            return lambda value: value is None or _equal_form(value, is_time) != wanted
        case "lt":
            return lambda value: value is not None and _sortable(value) < wanted
        case "lte":
            return lambda value: value is not None and _sortable(value) <= wanted
        case "gt":
            return lambda value: value is not None and _sortable(value) > wanted
    return lambda value: value is not None and _sortable(value) >= wanted


def _equal_form(value: Any, is_time: bool) -> Any:
    """The value by which rows are compared for equality: times to the millisecond."""
    found = _sortable(value)
    return whole_milliseconds(found) if is_time else found


def _sortable(value: Any) -> Any:
    """The value in a form that Python compares as PostgreSQL does: NaN equals itself and exceeds all numbers."""
    match value:
        case datetime():
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case float() | Decimal():
            return (1, 0) if value != value else (0, value)  # noqa: PLR0124  # the test for NaN
        case bool() | str():
            return value
        case int():
            return (0, value)
    return value


def _pattern(pattern: str) -> re.Pattern[str]:
    r"""A pattern of `like`: `%` is any text, `_` one character, `\` escapes the next one.

    Each part between two `%` is taken where it occurs first and never again, so no pattern takes long.
    """
    parts, characters = [""], iter(pattern)
    for character in characters:
        if character == "%":
            parts.append("")
        else:
            literal = next(characters) if character == "\\" else character
            parts[-1] += "." if character == "_" else re.escape(literal)
    first, *middle, last = parts if len(parts) > 1 else [*parts, ""]
    if len(parts) == 1:
        return re.compile(first, re.DOTALL)
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + ".*" + last, re.DOTALL)
