"""Queries for counts over bots."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.bot_dashboard import BotDashboard
from fullon_graphql.schema.ledger import OfPerson
from fullon_graphql.services.analytics import bot_dashboard


@strawberry.type
class BotDashboardQueries:
    @strawberry.field(description="Counts of the bots you may see, and of their orders and trades.")
    async def bot_dashboard(self, info: Info, uid: OfPerson = None) -> BotDashboard:
        found = await bot_dashboard.of_owner(info.context.database, info.context.caller, uid)
        return BotDashboard.from_record(found)
