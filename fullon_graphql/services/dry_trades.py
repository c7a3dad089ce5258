"""Simulated trades: one sees those of one's own bots, by the owner they name."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import DryTrade
from fullon_graphql.services.visibility import own_rows


def visible(caller: Caller) -> Select[tuple[DryTrade]]:
    """The simulated trades `caller` may see."""
    return own_rows(DryTrade, DryTrade.uid, caller)
