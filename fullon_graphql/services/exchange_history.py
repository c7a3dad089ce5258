"""What accounts held in the past: one sees one's own."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import ExchangeHistory
from fullon_graphql.services.visibility import own_rows


def visible(caller: Caller) -> Select[tuple[ExchangeHistory]]:
    """The past balances `caller` may see."""
    return own_rows(ExchangeHistory, ExchangeHistory.user_id, caller)
