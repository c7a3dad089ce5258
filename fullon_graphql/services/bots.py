"""Bots: one sees one's own."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Bot
from fullon_graphql.services.visibility import own_rows


def visible(caller: Caller) -> Select[tuple[Bot]]:
    """The bots `caller` may see."""
    return own_rows(Bot, Bot.uid, caller)
