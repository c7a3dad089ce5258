"""What accounts held in the past: one sees one's own."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import ExchangeHistory
from fullon_graphql.services.access import own_rows, without_twins

KEY = (
    ExchangeHistory.ex_id,
    ExchangeHistory.timestamp,
    ExchangeHistory.currency,
    ExchangeHistory.user_id,
    ExchangeHistory.balance,
)
"""The table has no key: a balance is what was held, where and when, whatever is remarked about it."""


def visible(caller: Caller) -> Select[tuple[ExchangeHistory]]:
    """The past balances `caller` may see; one that is stored several times counts once."""
    return without_twins(own_rows(ExchangeHistory, ExchangeHistory.user_id, caller), ExchangeHistory, *KEY)
