"""Types of path and query parameters, each with its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field, WithJsonSchema
from sqlalchemy import Select

from fullon_graphql.schema.support.scalars import parse_time

MAX_PAGE: Final = 1_000
MAX_KEY: Final = 2**31 - 1
"""The largest key: the platform's keys are 4-byte integers."""

Key = Annotated[int, Field(ge=0, le=MAX_KEY, examples=[1])]
"""Key of a row."""

SmallInt = Annotated[int, Field(ge=0, le=2**15 - 1)]
"""A 2-byte integer, as the platform stores counts and numbers of digits."""

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
"""Text that PostgreSQL accepts: it has no NUL character."""

ExchangeName = Annotated[Name, Field(description="Name of an exchange.", examples=["kraken"])]
SymbolName = Annotated[
    Name,
    Field(
        description="Symbol in the exchange's spelling; `/` and `:` raw or percent-encoded.",
        examples=["BTC/USD"],
    ),
]

Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Field(description="ISO 8601 with a UTC offset; a time without one is rejected."),
]


@dataclass(frozen=True, slots=True)
class Page:
    """Limit and offset of a list."""

    limit: int
    offset: int

    def apply(self, query: Select[Any]) -> Select[Any]:
        """The query's rows on this page."""
        return query.limit(self.limit).offset(self.offset)


async def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number of rows.")] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_KEY, description="Number of rows to skip.")] = 0,
) -> Page:
    return Page(limit, offset)


PageParams = Annotated[Page, Depends(_page)]
