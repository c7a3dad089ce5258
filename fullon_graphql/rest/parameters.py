"""The kinds of values that routes take from paths and queries, each with its bounds."""

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
"""The platform's keys are four-byte integers."""

Key = Annotated[int, Field(ge=0, le=MAX_KEY, examples=[1])]
"""The key of a row."""

Small = Annotated[int, Field(ge=0, le=2**15 - 1)]
"""A count or a number of digits, as the platform stores them in two bytes."""

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
"""Text that PostgreSQL and Redis can compare with."""

Exchange = Annotated[Name, Field(description="Name of an exchange.", examples=["kraken"])]
SymbolName = Annotated[
    Name,
    Field(
        description="Instrument in the exchange's spelling; `/` and `:` as they are or percent-encoded.",
        examples=["BTC/USD"],
    ),
]

Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Field(description="ISO 8601 with an offset from UTC; a time without one is refused."),
]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    limit: int
    offset: int

    def of(self, query: Select[Any]) -> Select[Any]:
        """The query's rows on this page."""
        return query.limit(self.limit).offset(self.offset)


def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="At most so many rows.")] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_KEY, description="Pass over so many rows first.")] = 0,
) -> Page:
    return Page(limit, offset)


PageParams = Annotated[Page, Depends(_page)]
