"""The envelope around lists of market data, as the platform's clients expect it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.rest.answers import Json


class Envelope(BaseModel):
    """Fields around every list of market data."""

    success: bool = Field(description="Always true: a failure has another status and body.")
    message: str | None = Field(description="Always null.")
    timestamp: AwareDatetime = Field(description="Time of the answer.")
    count: int = Field(description="Length of the list.")
    offset: int | None = None
    limit: int | None = None
    total_available: int | None = Field(None, description="Total number, if known.")
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None


def wrap_list(name: str, items: Collection[Any], **extra: Any) -> Json:
    """The response with `items` under `name` in the envelope, and with `extra` fields, which take precedence."""
    absent = dict.fromkeys(("offset", "limit", "total_available", "start_time", "end_time"))
    head = {"success": True, "message": None, "timestamp": datetime.now(UTC), name: items, "count": len(items)}
    return Json(head | absent | extra)
