"""Relay connections: one generic shape for every list of rows that can grow, and the one field that pages them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import strawberry
from strawberry.federation.schema_directives import Cost
from strawberry.types.nodes import SelectedField, Selection

from fullon_graphql.context import Context, Info
from fullon_graphql.engine.cost import list_size
from fullon_graphql.engine.fields.filter_inputs import searching
from fullon_graphql.engine.lists.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, Slice, cursor_of
from fullon_graphql.engine.model.entities import entity_of, required_entity
from fullon_graphql.engine.reference.loaders import load_feed_cursor

T = TypeVar("T")

First = Annotated[
    int | None,
    strawberry.argument(
        description=f"Number of rows from the start of the list: {DEFAULT_PAGE_SIZE} by default, {MAX_PAGE_SIZE} at"
        " most."
    ),
]
After = Annotated[str | None, strawberry.argument(description="Return only rows after the row with this cursor.")]
Last = Annotated[
    int | None,
    strawberry.argument(description="Number of rows from the end of the list; use either `first` or `last`."),
]
Before = Annotated[str | None, strawberry.argument(description="Return only rows before the row with this cursor.")]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="True if rows follow the last row of this page.")
    has_previous_page: bool = strawberry.field(description="True if rows precede the first row of this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null for an empty page.")
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last row; pass it as `after` to get the next page. Null for an empty page."
    )


@strawberry.type(description="A row and its position in the list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque position of this row, for `after` and `before`.")
    node: T = strawberry.field(description="The row.")


@strawberry.type(description="One page of a list, with the cursors to request the next one.")
class Connection(Generic[T]):
    slice: strawberry.Private[Slice[Any]]
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The rows of this page, each with its cursor.", directives=[Cost(weight=0)])
    def edges(self) -> list[Edge[T]]:
        return [Edge(cursor=self._cursor(row), node=row) for row in self.slice.rows]

    @strawberry.field(description="The rows of this page, without a cursor per row.")
    def nodes(self) -> list[T]:
        return self.slice.rows

    @strawberry.field(description="The position of this page in the list.", directives=[Cost(weight=0)])
    def page_info(self) -> PageInfo:
        rows = self.slice.rows
        return PageInfo(
            has_next_page=self.slice.has_next,
            has_previous_page=self.slice.has_previous,
            start_cursor=self._cursor(rows[0]) if rows else None,
            end_cursor=self._cursor(rows[-1]) if rows else None,
        )

    @strawberry.field(
        description="Number of rows in the whole list after filtering. It runs a count in the database; select it only"
        " if you show it.",
        directives=[Cost(weight=50)],
    )
    async def total_count(self) -> int:
        return await self.count()

    def _cursor(self, row: object) -> str:
        return cursor_of(entity_of(type(row)), self.slice.order, row)


@strawberry.type(
    name="Connection", description="One page of a list, with the cursors to request the next one and to stream changes."
)
class StreamedConnection(Connection[T], Generic[T]):
    """A connection over an entity that has a stream of changes."""

    feed_cursor: strawberry.Private[str | None]

    @strawberry.field(
        description="Position of the change feed, taken before the rows were read. Pass it as `after` to the"
        " subscription of these rows: every change that is not in the rows yet follows, and none is missed. A change"
        " that is in the rows already may come again."
    )
    def cursor(self) -> str:
        assert self.feed_cursor is not None, "taken because it is selected"
        return self.feed_cursor


_PAGE_SIZE: Final = list_size(DEFAULT_PAGE_SIZE, ["first", "last"], ["edges", "nodes"])

Rows = Callable[[Context, Any, Page, str | None], Awaitable[Sequence[Any]]]
"""Reads the rows of a page below a parent (None for a root field), as `Page.cut` finds them. With a cursor of the
change feed they are read after it was taken."""
Count = Callable[[Context, Any, Page], Awaitable[int]]
"""Counts the rows below a parent that the page's filter accepts."""


def paged(description: str, target: str, rows: Rows, count: Count, metadata: dict[object, object]) -> Any:
    """A connection field over the entity called `target`, with the arguments for paging, filter and order."""

    async def resolve(
        root: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter_: Any = None,
        order_by: Any = None,
    ) -> Any:
        page = Page.read(
            required_entity(target),
            first=first, after=after, last=last, before=before, filter_=filter_, order_by=order_by,
        )  # fmt: skip

        async def total() -> int:
            return await count(info.context, root, page)

        cursor = await load_feed_cursor(info.context) if _selects(info.selected_fields, "cursor", 1) else None
        found = await rows(info.context, root, page, cursor)
        return StreamedConnection(slice=page.arrange(found), count=total, feed_cursor=cursor)

    resolve.__annotations__ |= searching(target)
    return strawberry.field(resolver=resolve, description=description, metadata=metadata, directives=[_PAGE_SIZE])


def _selects(selections: Sequence[Selection], name: str, depth: int = 0) -> bool:
    """True if the field `name` may be selected `depth` levels below; conditions are not evaluated."""
    for selection in selections:
        if isinstance(selection, SelectedField):
            found = _selects(selection.selections, name, depth - 1) if depth else selection.name == name
        else:
            found = _selects(selection.selections, name, depth)
        if found:
            return True
    return False
