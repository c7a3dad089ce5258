"""Actual cost: the cost of a response, by the weights of the estimate and the actual sizes of its lists.

It is measured for responses whose client asks for it and for one in `SAMPLE` others, because it takes time in the size
of the response.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import orjson
from graphql import get_named_type, is_leaf_type

from fullon_graphql.engine.cost import weight
from fullon_graphql.engine.planned.selections import Selection
from fullon_graphql.services.rate_limits import Taken

SAMPLE: Final = 499
"""One in so many responses is measured for the metrics. A prime, so that a repeated sequence is sampled evenly."""
MEASURED_BYTES: Final = 2 * 2**20
"""The largest response that is measured; it takes about 20 ms."""


class Sample:
    """Chooses one response in `SAMPLE`."""

    def __init__(self) -> None:
        self._left = SAMPLE

    def is_due(self) -> bool:
        """True for the response that is to be measured."""
        self._left = self._left - 1 or SAMPLE
        return self._left == SAMPLE


class Charge(NamedTuple):
    """The estimated cost of an operation, or of one event, and what it was charged against."""

    estimated: int
    limit: int | None
    """The highest cost of an operation."""
    minute: Taken | None
    """The remaining cost of the account in this minute; None without a limit."""

    def report(self, actual: int | None) -> dict[str, Any]:
        """The value of `extensions.cost`."""
        report = {"estimated": self.estimated, "actual": actual, "limit": self.limit}
        minute = self.minute
        return report if minute is None else report | {"remaining": minute.remaining, "resetSeconds": minute.reset}


def actual_cost(roots: Sequence[Selection], body: bytes) -> int | None:
    """The cost of a response to the operation that selects `roots`; None for a response that is too large."""
    if len(body) > MEASURED_BYTES:
        return None
    data = orjson.loads(body).get("data")
    return cost_of(roots, [data]) if data else 0


def cost_of(selections: Sequence[Selection], objects: Sequence[dict[str, Any]]) -> int:
    """The cost of the selected fields of objects in the response; null costs nothing."""
    return sum(_field(selection, objects) for selection in selections if selection.field is not None)


def _field(selection: Selection, objects: Sequence[dict[str, Any]]) -> int:
    assert selection.field is not None, "left out by cost_of"
    type_: Any = get_named_type(selection.field.type)
    each = weight(selection.field, type_)
    if is_leaf_type(type_):
        return each and each * len(_values(selection, objects))
    found = _values(selection, objects)
    below = _by_type(selection, found) if selection.possible else [(selection.children, found)]
    return each * len(found) + sum(cost_of(children, group) for children, group in below)


def _values(selection: Selection, objects: Sequence[dict[str, Any]]) -> list[Any]:
    """The values of a field, those in lists one by one, without null."""
    values = [one[selection.key] for one in objects]
    if not selection.is_single:
        values = list(chain.from_iterable(value for value in values if value is not None))
    return [value for value in values if value is not None]


def _by_type(
    selection: Selection, objects: Sequence[dict[str, Any]]
) -> Iterator[tuple[Sequence[Selection], list[Any]]]:
    """Objects of an interface or union with the selections of their type, which is known by its response keys."""
    by_keys = {frozenset(child.key for child in children): children for children in selection.possible.values()}
    for keys, children in by_keys.items():
        yield children, [one for one in objects if one.keys() == keys]
