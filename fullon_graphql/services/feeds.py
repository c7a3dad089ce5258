"""What strategies listen to: one sees the feeds of one's own bots' strategies."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Feed, Strategy
from fullon_graphql.services import strategies
from fullon_graphql.services.visibility import rows_of


def visible(caller: Caller) -> Select[tuple[Feed]]:
    """The feeds `caller` may see."""
    own_strategies = strategies.visible(caller).with_only_columns(Strategy.str_id)
    return rows_of(Feed, Feed.str_id, own_strategies, caller)
