"""Audience: whether an answer is the same for everybody who is signed in, judged from what is selected.

Only what is known to be so counts. A rule of visibility shows by itself that it does not look at the caller; types
without rows are listed here, and a field with a function of its own is never trusted.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from graphql import get_named_type, is_leaf_type
from sqlalchemy.dialects.postgresql import asyncpg

from fullon_graphql.auth.principal import Principal
from fullon_graphql.engine.model.batches import BATCH
from fullon_graphql.engine.model.entities import Entity, entity_named
from fullon_graphql.engine.model.relations import RELATION
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.selections import Selection

MARKET_DATA: Final = frozenset({"Ticker", "Candle", "CandleColumns", "CandleUpdate"})
"""Types without rows of their own whose objects are everybody's, whichever way leads to them."""

_dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no annotations


def is_for_everybody(selection: Selection) -> bool:
    """True where neither the objects of a root field nor anything selected below them depends on the caller."""
    return _is_shared(selection) and _below(selection)


def _below(selection: Selection) -> bool:
    return not selection.possible and all(_is_plain(child) and _below(child) for child in selection.children)


def _is_plain(selection: Selection) -> bool:
    """True for a value that is stored with its object, and for a way to other objects of everybody's."""
    try:
        if selection.field is None or selection.declared.is_basic_field:
            return selection.field is None or is_leaf_type(get_named_type(selection.type)) or _is_shared(selection)
        metadata = selection.declared.metadata
        return (RELATION in metadata or BATCH in metadata) and _is_shared(selection)
    except Fallback:
        return False


def _is_shared(selection: Selection) -> bool:
    name = get_named_type(selection.type).name
    entity = entity_named(name)
    return name in MARKET_DATA if entity is None else _ignores_caller(entity)


@cache
def _ignores_caller(entity: Entity) -> bool:
    """True where the entity's rule says the same to two strangers and an administrator."""
    strangers = [Principal(uid, f"{uid}@nowhere", uid == 0, "nobody", None) for uid in (-1, -2, 0)]
    rules = [entity.visible(stranger).compile(dialect=_dialect) for stranger in strangers]
    return len({(str(rule), repr(sorted(rule.params.items()))) for rule in rules}) == 1
