"""People."""

from __future__ import annotations

from typing import cast

import strawberry

from fullon_graphql import models
from fullon_graphql.context import Context, Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many
from fullon_graphql.engine.model.batches import BATCH, Batch, batched
from fullon_graphql.engine.model.columns import column, upper
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.models import Role
from fullon_graphql.schema.ledger import Currency
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.inputs import expected_timestamp, needed, optional
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import ApiKeyRef, BotRef, DryTradeRef, ExchangeRef, OrderRef, TradeRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.user_summary import SUMMARY_OF_USER, UserSummary
from fullon_graphql.services.user_admin import is_administrator

described(
    Role,
    "What an account may do.",
    {
        Role.ADMIN: "See and change everything, and control the services.",
        Role.USER: "See and change what is one's own.",
    },
)


async def _are_admins(context: Context, people: list[tuple[str, str]]) -> list[bool]:
    settings = context.worker.settings
    return [is_administrator(settings, mail, role) for mail, role in people]


IS_ADMIN = Batch(("mail", "role"), _are_admins)


@entity(models.User)
class User(Node):
    """A person with an account. People see themselves; administrators see everybody."""

    uid: int = column("Key of the account.")
    mail: str = column("Address the person signs in with; unique.")
    name: str = column("First name.")
    lastname: str = column("Family name.")
    role: Role = column(
        "Role stored with the account; see `isAdmin` for what it amounts to.", upper(models.User.role), filterable=True
    )
    active: bool = column("False for a deactivated account: it can no longer sign in.", filterable=True)
    timestamp: DateTime = column("When the account was made.", filterable=True)
    phone: str = column("Phone number; personal.")
    id_num: str = column("Number of an identity document; personal.")
    note: str | None = column("Free text about the person; personal.")
    manager: int | None = column("`uid` of the person who manages this account.")
    external_id: str | None = column("The person's id in an external system.")

    is_admin: bool = batched("True where the role, or being the platform's administrator, gives all rights.", IS_ADMIN)
    bots: Connection[BotRef] = connection("The person's bots, by key.", relation("Bot", "uid", models.Bot.uid))
    exchanges: list[ExchangeRef] = to_many(
        "The person's accounts on exchanges, by key.", relation("Exchange", "uid", models.Exchange.uid)
    )
    api_keys: list[ApiKeyRef] = to_many(
        "The keys with which programs sign in for the person, by number.",
        relation("ApiKey", "uid", models.ApiKey.uid),
    )
    orders: Connection[OrderRef] = connection(
        "The person's orders, by key.", relation("Order", "uid", models.Order.uid)
    )
    trades: Connection[TradeRef] = connection(
        "The person's live trades, by key.", relation("Trade", "uid", models.Trade.uid)
    )
    dry_trades: Connection[DryTradeRef] = connection(
        "The simulated trades of the person's bots, by key.", relation("DryTrade", "uid", models.DryTrade.uid)
    )

    @strawberry.field(
        description="What the person has now, and what their bots won or lost lately.",
        metadata={BATCH: SUMMARY_OF_USER},
    )
    async def summary(self, info: Info, currency: Currency = "USD") -> UserSummary:
        return cast("UserSummary", await SUMMARY_OF_USER.of(info.context, self, currency=currency))


@strawberry.input(description="What people change of themselves. What is left out, or null, stays as it is.")
class UpdateProfileInput:
    name: str | None = optional("First name, at most 50 characters.")
    lastname: str | None = optional("Family name, at most 50 characters.")
    phone: str | None = optional("Phone number, at most 12 characters.")
    id_num: str | None = optional("Number of an identity document, at most 15 characters.")
    expected_timestamp: DateTime | None = expected_timestamp()


@strawberry.input(description="A new account.")
class CreateUserInput:
    mail: str = needed("Address the person signs in with; unique.")
    password: str = needed("Its first password, of at most 72 bytes.")
    name: str | None = optional("First name, at most 50 characters.")
    lastname: str | None = optional("Family name, at most 50 characters.")
    phone: str | None = optional("Phone number, at most 12 characters.")
    id_num: str | None = optional("Number of an identity document, at most 15 characters.")
    role: Role | None = optional("What the account may do.")
    note: str | None = optional("Free text about the person.")
    manager: int | None = optional("`uid` of the person who manages this account.")
    external_id: str | None = optional("The person's id in an external system, unique.")


@strawberry.input(
    description="What is to change of an account. What is left out stays; null empties what may be empty."
)
class UpdateUserInput:
    uid: int = needed("Key of the account.")
    mail: str | None = optional("Address the person signs in with; unique.")
    name: str | None = optional("First name, at most 50 characters.")
    lastname: str | None = optional("Family name, at most 50 characters.")
    phone: str | None = optional("Phone number, at most 12 characters.")
    id_num: str | None = optional("Number of an identity document, at most 15 characters.")
    role: Role | None = optional("What the account may do.")
    note: str | None = optional("Free text about the person.")
    manager: int | None = optional("`uid` of the person who manages this account.")
    external_id: str | None = optional("The person's id in an external system, unique.")
    active: bool | None = optional("False to deactivate it.")
    expected_timestamp: DateTime | None = expected_timestamp()


@strawberry.type(description="A seed for one-time codes, to be confirmed with `confirmTotp` within ten minutes.")
class TotpEnrolment:
    secret: str | None = strawberry.field(
        description="The seed, in base32: to be typed into an app. Null in the answer to a repetition."
    )
    uri: str | None = strawberry.field(
        description="The same as an `otpauth` address: to be shown as a QR code. Null in the answer to a repetition."
    )
