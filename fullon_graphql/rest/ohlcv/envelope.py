"""The envelope in which the platform's market data comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from fullon_graphql.rest.answers import Json


class Envelope(BaseModel):
    """What stands around every list of market data."""

    success: bool = Field(description="Always true: a failure has another status and another body.")
    message: str | None = Field(description="Always null.")
    timestamp: AwareDatetime = Field(description="When this was answered.")
    count: int = Field(description="How many there are in the list.")
    offset: int | None = None
    limit: int | None = None
    total_available: int | None = Field(None, description="How many there are altogether, where that is known.")
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None


def enveloped(name: str, items: Sequence[Any], **further: Any) -> Json:
    """`items` under `name` in the envelope."""
    absent = dict.fromkeys(("offset", "limit", "total_available", "start_time", "end_time"))
    head = {"success": True, "message": None, "timestamp": datetime.now(UTC), name: items, "count": len(items)}
    return Json(head | absent | further)
