"""Live trades: one sees those of one's own account."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Trade
from fullon_graphql.services.visibility import own_rows


def visible(caller: Caller) -> Select[tuple[Trade]]:
    """The live trades `caller` may see."""
    return own_rows(Trade, Trade.uid, caller)
