"""What bots write: one reads one's own bots."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Bot, BotLog
from fullon_graphql.services import bots
from fullon_graphql.services.access import rows_of, without_twins

KEY = (
    BotLog.bot_id,
    BotLog.timestamp,
    BotLog.feed_num,
    BotLog.ex_id,
    BotLog.symbol,
    BotLog.position,
    BotLog.message,
)
"""The table has no key: a line is all that it says."""


def visible(caller: Caller) -> Select[tuple[BotLog]]:
    """The lines of logs `caller` may see; what a bot has written several times at once counts once."""
    own_bots = bots.visible(caller).with_only_columns(Bot.bot_id)
    return without_twins(rows_of(BotLog, BotLog.bot_id, own_bots, caller), BotLog, *KEY)
