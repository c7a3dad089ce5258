"""Pages: keyset pagination of Relay connections.

A cursor contains the row's values of the ordering columns. A page therefore costs one index range at any depth, and
rows inserted or deleted meanwhile do not shift it. A cursor is valid for one list in one order with any filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, FromClause, Select, any_, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.engine.lists import opaque_ids, ordering
from fullon_graphql.engine.lists.filters import Filter, narrowed
from fullon_graphql.engine.lists.ordering import Columns, Order
from fullon_graphql.engine.model.entities import Entity, Key
from fullon_graphql.errors import BadUserInput

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: `size` rows after or before a cursor, from the front or (`backward`) from the back.

    The list contains the rows that match `filter`, in `order`.
    """

    size: int = DEFAULT_PAGE_SIZE
    backward: bool = False
    after: Key | None = None
    before: Key | None = None
    order: Order = ()
    filter: Filter | None = None

    @classmethod
    def read(
        cls,
        entity: Entity,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter_: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | None = None,
    ) -> Page:
        """The page for the arguments of a connection.

        Raises:
            BadUserInput: both `first` and `last`, a size out of range, a cursor of another list, or an invalid filter.
        """
        if first is not None and last is not None:
            raise BadUserInput("Give `first` or `last`, not both.", field="last")
        field, size = ("last", last) if last is not None else ("first", first)
        if size is not None and not 0 <= size <= MAX_PAGE_SIZE:
            raise BadUserInput(f"`{field}` is {size}; it takes 0 to {MAX_PAGE_SIZE}.", field=field)
        order = ordering.read(entity, order_by)
        return cls(
            size=DEFAULT_PAGE_SIZE if size is None else size,
            backward=last is not None,
            after=_read_cursor(entity, order, after, "after"),
            before=_read_cursor(entity, order, before, "before"),
            order=order,
            filter=None if filter_ is None else Filter.read(entity, filter_),
        )

    def cut(
        self,
        statement: Select[Any],
        entity: Entity,
        *,
        ahead: int = 1,
        parent: InstrumentedAttribute[Any] | None = None,
        places: bool = False,
    ) -> Select[Any]:
        """`statement` restricted to this page's rows and `ahead` further ones, which show whether a next page exists.

        With `parent` the statement selects the rows of one parent by `is_parent` of this column; with `places` each row
        has its number.
        """
        statement = narrowed(statement, entity, self.filter)
        if self.after is not None:
            statement = statement.where(ordering.beyond(entity, self.order, self.after, before=False))
        if self.before is not None:
            statement = statement.where(ordering.beyond(entity, self.order, self.before, before=True))
        size = self.size + ahead if ahead else self.size
        order = ordering.entire(entity, self.order)
        if parent is None or {by.name for by in order} == set(entity.key_names):
            return self._sorted(statement, entity, entity.columns, parent, places=places).limit(size)
        if len(entity.key) > 1:  # association tables: the key is most of the row
            found = _fence(statement)
            return self._sorted(select(found), entity, found.c, places=places).limit(size)
        return self._looked_up(statement, entity, size, places=places)

    def _looked_up(self, statement: Select[Any], entity: Entity, size: int, *, places: bool) -> Select[Any]:
        """The page of one parent: keys alone are sorted, and only rows on the page are read in full."""
        names = dict.fromkeys([*(by.name for by in ordering.entire(entity, self.order)), *entity.key_names])
        places_of = (entity.columns[name].label(name) for name in names)
        found = _fence(statement.with_only_columns(*places_of, maintain_column_froms=True))
        page = self._sorted(select(found), entity, found.c).limit(size).lateral()
        columns = (expression.label(name) for name, expression in entity.columns.items())
        rows = _fence(select(*columns).where(entity.key[0] == page.c[entity.key_names[0]]))
        return self._sorted(select(rows).select_from(page.join(rows, true())), entity, rows.c, places=places)

    def _sorted(
        self,
        statement: Select[Any],
        entity: Entity,
        columns: Columns,
        parent: InstrumentedAttribute[Any] | None = None,
        *,
        places: bool = False,
    ) -> Select[Any]:
        order = ordering.sorting(entity, self.order, columns, backward=self.backward)
        if parent is not None:
            descending = ordering.entire(entity, self.order)[0].descending != self.backward
            order = [parent.desc() if descending else parent.asc(), *order]
        if places:
            statement = statement.add_columns(func.row_number().over(order_by=order).label("place"))
        return statement.order_by(*order)

    def arrange(self, found: Sequence[Item]) -> Slice[Item]:
        """The page's rows in list order, from the rows that `cut` selected."""
        rows = list(found[: self.size])
        more = len(found) > self.size
        if self.backward:
            rows.reverse()
            return Slice(rows, self.order, has_previous=more, has_next=self.before is not None)
        return Slice(rows, self.order, has_previous=self.after is not None, has_next=more)


@dataclass(frozen=True)
class Slice(Generic[Item]):
    """The rows of one page in list order, and whether there are rows before and after them."""

    rows: list[Item]
    order: Order
    has_previous: bool
    has_next: bool


def cursor_of(entity: Entity, order: Order, row: object) -> str:
    """The cursor of a built row in a list of `entity` in this order."""
    values = (getattr(row, by.name) for by in ordering.entire(entity, order))
    return opaque_ids.encode("after", ordering.name(entity, order), *values)


def _read_cursor(entity: Entity, order: Order, text: str | None, field: str) -> Key | None:
    if text is None:
        return None
    try:
        marker, name, *parts = opaque_ids.decode(text)
    except ValueError:
        marker, name, parts = None, None, []
    place = opaque_ids.read(parts, ordering.columns(entity, order))
    if marker != "after" or name != ordering.name(entity, order) or place is None:
        raise BadUserInput(f"`{field}` is not a cursor of this list of {entity.name} rows in this order.", field=field)
    return place


def is_parent(column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition for the rows of one parent, of which `Page.cut` selects a page.

    With a limit PostgreSQL may scan the key's index through the whole table instead of selecting the few rows of one
    parent; for a parent without rows it would read the whole table. The order by `column` and the key prevents that: an
    index of both gives the page itself, all others give rows to sort. PostgreSQL drops from an order a column that
    equals one value, but not one that equals any value of an array.
    """
    return column == any_(array([value]))


def _fence(statement: Select[Any]) -> FromClause:
    """The same rows as a subquery that PostgreSQL evaluates first: it sorts the rows of one parent.

    With a limit it may otherwise scan an index in the requested order through the whole table. OFFSET 0 prevents that.
    """
    return statement.offset(literal_column("0")).lateral()
