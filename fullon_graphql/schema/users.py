"""Users."""

from __future__ import annotations

import strawberry

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection, StreamedConnection
from fullon_graphql.engine.fields.relation import connection, to_many
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.engine.model.columns import column, upper
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.models import Role
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.inputs import expected_timestamp, optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import ApiKeyRef, BotRef, DryTradeRef, ExchangeRef, OrderRef, TradeRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.user_summary import SUMMARY_OF_USER, UserSummary
from fullon_graphql.services import user_admin

described(
    Role,
    "Role of a user.",
    {
        Role.ADMIN: "May see and change everything, and control the background services.",
        Role.USER: "May see and change the user's own rows.",
    },
)


IS_ADMIN = Batch(("mail", "role"), user_admin.are_administrators)


@entity(models.User)
class User(Node):
    """A user of the platform. Users see themselves; administrators see all users."""

    uid: int = column("Key of the user.")
    mail: str = column("Unique mail address, used to sign in.")
    name: str = column("First name.")
    lastname: str = column("Family name.")
    role: Role = column("Stored role; `isAdmin` is the effective permission.", upper(models.User.role), filterable=True)
    active: bool = column("False for a deactivated user, who cannot sign in.", filterable=True)
    timestamp: DateTime = column("Time of creation.", filterable=True)
    phone: str = column("Phone number.")
    id_num: str = column("Number of an identity document.")
    note: str | None = column("Free text about the user.")
    manager: int | None = column("`uid` of the user who manages this user.")
    external_id: str | None = column("Id of the user in an external system.")

    is_admin: bool = batched(
        "True if the user has all permissions, by role or as the configured administrator.", IS_ADMIN
    )
    bots: Connection[BotRef] = connection("The user's bots, by key.", relation("Bot", "uid", models.Bot.uid))
    exchanges: list[ExchangeRef] = to_many(
        "The user's exchange accounts, by key.", relation("Exchange", "uid", models.Exchange.uid)
    )
    api_keys: list[ApiKeyRef] = to_many(
        "The user's API keys, by number.",
        relation("ApiKey", "uid", models.ApiKey.uid),
    )
    orders: StreamedConnection[OrderRef] = connection(
        "The user's orders, by key.", relation("Order", "uid", models.Order.uid)
    )
    trades: StreamedConnection[TradeRef] = connection(
        "The user's live trades, by key.", relation("Trade", "uid", models.Trade.uid)
    )
    dry_trades: StreamedConnection[DryTradeRef] = connection(
        "The simulated trades of the user's bots, by key.", relation("DryTrade", "uid", models.DryTrade.uid)
    )

    summary: UserSummary = batched(
        "Current value of the user's exchange accounts, and the results of the last 24 hours.", SUMMARY_OF_USER
    )


@strawberry.input(description="Changes of your own profile. A field that is omitted or null keeps its value.")
class UpdateProfileInput:
    name: str | None = optional("First name, at most 50 characters.")
    lastname: str | None = optional("Family name, at most 50 characters.")
    phone: str | None = optional("Phone number, at most 12 characters.")
    id_num: str | None = optional("Number of an identity document, at most 15 characters.")
    expected_timestamp: DateTime | None = expected_timestamp()


@strawberry.input(description="A new user.")
class CreateUserInput:
    mail: str = required("Unique mail address, used to sign in.")
    password: str = required("Initial password, at most 72 bytes.")
    name: str | None = optional("First name, at most 50 characters.")
    lastname: str | None = optional("Family name, at most 50 characters.")
    phone: str | None = optional("Phone number, at most 12 characters.")
    id_num: str | None = optional("Number of an identity document, at most 15 characters.")
    role: Role | None = optional("Role of the user.")
    note: str | None = optional("Free text about the user.")
    manager: int | None = optional("`uid` of the user who manages this user.")
    external_id: str | None = optional("Unique id of the user in an external system.")


@strawberry.input(
    description="Changes of a user. An omitted field keeps its value; null clears a field that may be null."
)
class UpdateUserInput:
    uid: int = required("Key of the user.")
    mail: str | None = optional("Unique mail address, used to sign in.")
    name: str | None = optional("First name, at most 50 characters.")
    lastname: str | None = optional("Family name, at most 50 characters.")
    phone: str | None = optional("Phone number, at most 12 characters.")
    id_num: str | None = optional("Number of an identity document, at most 15 characters.")
    role: Role | None = optional("Role of the user.")
    note: str | None = optional("Free text about the user.")
    manager: int | None = optional("`uid` of the user who manages this user.")
    external_id: str | None = optional("Unique id of the user in an external system.")
    active: bool | None = optional("False deactivates the user.")
    expected_timestamp: DateTime | None = expected_timestamp()


@strawberry.type(description="A new secret for one-time codes. Confirm it with `confirmTotp` within ten minutes.")
class TotpEnrolment:
    secret: str | None = strawberry.field(
        description="The secret in base32, to enter in an authenticator app. Null if the mutation is repeated with its"
        " `idempotencyKey`."
    )
    uri: str | None = strawberry.field(
        description="The secret as an `otpauth` URI, to show as a QR code. Null if the mutation is repeated with its"
        " `idempotencyKey`."
    )
