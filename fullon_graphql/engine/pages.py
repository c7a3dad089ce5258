"""Pages of a list: keyset paging as Relay's connections describe it.

A cursor holds the key of the row it stands on, so a page costs one index range however deep it lies, and rows that
are inserted or deleted meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, literal_column, select, tuple_

from fullon_graphql.engine import keys
from fullon_graphql.engine.entities import Entity, Key
from fullon_graphql.errors import BadUserInput

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: `size` rows after/before a place, from the front or from the back."""

    size: int = DEFAULT_PAGE_SIZE
    backward: bool = False
    after: Key | None = None
    before: Key | None = None

    @classmethod
    def read(cls, entity: Entity, first: int | None, after: str | None, last: int | None, before: str | None) -> Page:
        """The page that connection arguments ask for.

        Raises:
            BadUserInput: both ends at once, a size out of range, or a cursor that is not of this list.
        """
        if first is not None and last is not None:
            raise BadUserInput("Give `first` or `last`, not both.", field="last")
        field, size = ("last", last) if last is not None else ("first", first)
        if size is not None and not 0 <= size <= MAX_PAGE_SIZE:
            raise BadUserInput(f"`{field}` is {size}; it takes 0 to {MAX_PAGE_SIZE}.", field=field)
        return cls(
            size=DEFAULT_PAGE_SIZE if size is None else size,
            backward=last is not None,
            after=_read_cursor(entity, after, "after"),
            before=_read_cursor(entity, before, "before"),
        )

    def cut(
        self, statement: Select[Any], entity: Entity, *, ahead: int = 1, one_parent: bool = False, places: bool = False
    ) -> Select[Any]:
        """`statement` reduced to this page's rows, and one more that tells whether the list goes on.

        With `one_parent`, the statement finds the rows of one parent; with `places`, each row says which one it is.
        """
        key = tuple_(*entity.key)
        if self.after is not None:
            statement = statement.where(key > tuple_(*self.after))
        if self.before is not None:
            statement = statement.where(key < tuple_(*self.before))
        columns: Sequence[Any] = entity.key
        if one_parent:
            statement, columns = _fenced(statement, entity)
        order = [column.desc() if self.backward else column.asc() for column in columns]
        if places:
            statement = statement.add_columns(func.row_number().over(order_by=order).label("place"))
        return statement.order_by(*order).limit(self.size + ahead if ahead else self.size)

    def arrange(self, found: Sequence[Item]) -> Slice[Item]:
        """The rows of this page in list order, from what `cut` found."""
        rows = list(found[: self.size])
        more = len(found) > self.size
        if self.backward:
            rows.reverse()
            return Slice(rows, has_previous=more, has_next=self.before is not None)
        return Slice(rows, has_previous=self.after is not None, has_next=more)


@dataclass(frozen=True)
class Slice(Generic[Item]):
    """The rows of one page in list order, and whether the list goes on at either end."""

    rows: list[Item]
    has_previous: bool
    has_next: bool


def cursor_of(entity: Entity, key: Key) -> str:
    """The cursor of the row with `key` in a list of `entity`."""
    return keys.encode("after", entity.name, *key)


def _read_cursor(entity: Entity, text: str | None, field: str) -> Key | None:
    if text is None:
        return None
    try:
        marker, name, *parts = keys.decode(text)
    except ValueError:
        marker, name, parts = None, None, []
    key = keys.read(parts, entity.key)
    if marker != "after" or name != entity.name or key is None:
        raise BadUserInput(f"`{field}` is not a cursor of this list of {entity.name} rows.", field=field)
    return key


def _fenced(statement: Select[Any], entity: Entity) -> tuple[Select[Any], Sequence[Any]]:
    """The same rows and their key, to be ordered without the key's own index.

    With a limit PostgreSQL would rather walk that index through the whole table than find the rows of one parent by
    theirs and sort these few: a parent without any rows would read all of everybody's. OFFSET 0 keeps it from that.
    """
    rows = statement.offset(literal_column("0")).lateral()
    return select(rows), [rows.c[name] for name in entity.key_names]
