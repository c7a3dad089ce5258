"""Orders: one sees those of one's own account, whichever bot placed them."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Order
from fullon_graphql.services.visibility import own_rows


def visible(caller: Caller) -> Select[tuple[Order]]:
    """The orders `caller` may see."""
    return own_rows(Order, Order.uid, caller)
