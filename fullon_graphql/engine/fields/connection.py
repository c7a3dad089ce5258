"""Relay connections: one generic shape for every list of rows that can grow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from fullon_graphql.engine.lists.pages import Slice, cursor_of
from fullon_graphql.engine.model.entities import entity_of

T = TypeVar("T")

First = Annotated[
    int | None, strawberry.argument(description="How many rows from the front: 50 unless asked, 1000 at most.")
]
After = Annotated[str | None, strawberry.argument(description="Only rows behind the one with this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="How many rows from the back, instead of `first`.")]
Before = Annotated[str | None, strawberry.argument(description="Only rows in front of the one with this cursor.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="True where rows follow the last one of this page.")
    has_previous_page: bool = strawberry.field(description="True where rows precede the first one of this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last row: give it as `after` to get the next page; null on an empty page."
    )


@strawberry.type(description="A row and its place in the list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque place of this row, for `after` and `before`.")
    node: T = strawberry.field(description="The row.")


@strawberry.type(description="One page of a list, with what is needed to ask for the next.")
class Connection(Generic[T]):
    slice: strawberry.Private[Slice[Any]]
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The rows of this page, each with its cursor.")
    def edges(self) -> list[Edge[T]]:
        return [Edge(cursor=self._cursor(row), node=row) for row in self.slice.rows]

    @strawberry.field(description="The rows of this page alone, for clients that need no cursor per row.")
    def nodes(self) -> list[T]:
        return self.slice.rows

    @strawberry.field(description="Whether and where the list goes on.")
    def page_info(self) -> PageInfo:
        rows = self.slice.rows
        return PageInfo(
            has_next_page=self.slice.has_next,
            has_previous_page=self.slice.has_previous,
            start_cursor=self._cursor(rows[0]) if rows else None,
            end_cursor=self._cursor(rows[-1]) if rows else None,
        )

    @strawberry.field(
        description="How many rows the whole list has, as filtered. Costs a count, so ask only where it is shown."
    )
    async def total_count(self) -> int:
        return await self.count()

    def _cursor(self, row: object) -> str:
        return cursor_of(entity_of(type(row)), self.slice.order, row)
