"""The keys of changed rows, from the JSON values of the feed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.model.columns import stored
from fullon_graphql.engine.model.entities import Entity, Key
from fullon_graphql.engine.model.times import read_stored_time
from fullon_graphql.services.change_feed.table import Change


def key_of_change(entity: Entity, change: Change) -> Key | None:
    """The key of the changed row; None if it has no valid form."""
    parts = [_part(column, change.key.get(column.key)) for column in entity.key]
    return opaque_ids.read(parts, entity.key)


def _part(column: InstrumentedAttribute[Any], value: Any) -> Any:
    """A value of a key as an identifier has it."""
    kind = stored(column).python_type
    if kind is datetime:
        return read_stored_time(value)
    return str(value) if kind is Decimal else value  # a numeric without a fraction is an integer in JSON
