"""People's accounts on exchanges."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.context import Info
from fullon_graphql.engine.columns import column
from fullon_graphql.engine.entities import entity
from fullon_graphql.engine.fields import to_one
from fullon_graphql.engine.relations import relation
from fullon_graphql.schema.balances import Balance, load_balances
from fullon_graphql.engine.roots import one_row
from fullon_graphql.schema.cat_exchanges import CatExchange
from fullon_graphql.schema.nodes import Node
from fullon_graphql.schema.positions import Position, load_positions
from fullon_graphql.schema.references import UserRef
from fullon_graphql.schema.scalars import DateTime
from fullon_graphql.services import exchanges


@entity(models.Exchange, key=models.Exchange.ex_id, visible=exchanges.visible)
class Exchange(Node):
    """One person's account on one exchange. Its credentials are not part of the graph."""

    ex_id: int = column("Key of the account.")
    uid: int = column("Key of the owner.")
    cat_ex_id: int = column("Key of the exchange in the catalogue.")
    name: str = column("Name given by the owner.")
    test: bool = column("True for the exchange's sandbox.")
    active: bool = column("True while the platform watches and trades on it.")
    timestamp: DateTime = column("When the account was added.")

    catalog: CatExchange = to_one(
        "The exchange it is an account on.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )
    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))

    @strawberry.field(description="Live balances, one per currency; empty where the account daemon has written none.")
    async def balances(self, info: Info) -> list[Balance]:
        return await load_balances(info.context, self.ex_id)

    @strawberry.field(description="Live positions, one per instrument; empty where there are none.")
    async def positions(self, info: Info) -> list[Position]:
        catalog = await one_row(info.context, CatExchange, self.cat_ex_id)
        return await load_positions(info.context, self.ex_id, catalog.name)
