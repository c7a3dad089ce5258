"""Queries for the summary of a user."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.auth.principal import reader
from fullon_graphql.context import Info
from fullon_graphql.schema.ledger import Currency
from fullon_graphql.schema.user_summary import UserSummary
from fullon_graphql.services.analytics import user_summary


@strawberry.type
class UserSummaryQueries:
    @strawberry.field(
        description="Current value of a user's exchange accounts, and the results of the last 24 hours. NOT_FOUND if"
        " there is no such user you may see."
    )
    async def user_summary(
        self,
        info: Info,
        uid: Annotated[int | None, strawberry.argument(description="`uid` of the user; yourself by default.")] = None,
        currency: Currency = "USD",
    ) -> UserSummary:
        context = info.context
        whose = reader(context.caller).uid if uid is None else uid
        found = await user_summary.of_person(context.database, context.redis, context.caller, whose, currency)
        return UserSummary.from_record(found)
