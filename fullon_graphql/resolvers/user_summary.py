"""Queries about what a person has."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Info
from fullon_graphql.schema.ledger import Currency
from fullon_graphql.schema.user_summary import UserSummary
from fullon_graphql.services.analytics import user_summary


@strawberry.type
class UserSummaryQueries:
    @strawberry.field(description="What a person has and lately won; NOT_FOUND where there is none you may see.")
    async def user_summary(
        self,
        info: Info,
        uid: Annotated[int | None, strawberry.argument(description="Key of the person; yourself unless given.")] = None,
        currency: Currency = "USD",
    ) -> UserSummary:
        stores, caller = (info.context.database, info.context.worker.redis), info.context.caller
        whose = signed_in(caller).uid if uid is None else uid
        return cast("UserSummary", await user_summary.of_person(*stores, caller, whose, currency))
