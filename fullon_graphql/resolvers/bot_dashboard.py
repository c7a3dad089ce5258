"""Queries about how much bots do."""

from __future__ import annotations

from typing import cast

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.schema.bot_dashboard import BotDashboard
from fullon_graphql.schema.ledger import OfPerson
from fullon_graphql.services.analytics import bot_dashboard


@strawberry.type
class BotDashboardQueries:
    @strawberry.field(description="How many bots you may see, and how much they did.")
    async def bot_dashboard(self, info: Info, uid: OfPerson = None) -> BotDashboard:
        found = await bot_dashboard.of_owner(info.context.database, info.context.caller, uid)
        return cast("BotDashboard", found)
