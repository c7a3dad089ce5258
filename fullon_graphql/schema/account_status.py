"""States of exchange accounts in the account service."""

from __future__ import annotations

import strawberry

from fullon_graphql.cache.account_status import AccountState
from fullon_graphql.engine.model.batches import Batch
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import live

described(
    AccountState,
    "State of an exchange account in the account service.",
    {
        AccountState.CONNECTING: "The account has not been read yet.",
        AccountState.LIVE: "The exchange announces changes over a stream.",
        AccountState.POLLED: "The account is read at intervals: the exchange has no stream, or the stream is"
        " interrupted.",
        AccountState.DOWN: "The account cannot be read, and is tried again after a pause. Balances, positions and"
        " orders are those of the last reading.",
    },
)


@strawberry.type(description="How the account service reads an exchange account.")
class AccountStatus(FromRecord):
    state: AccountState = strawberry.field(description="Current state.")
    connected_since: DateTime | None = strawberry.field(
        description="Since when the account has been read without a failure; null while it is down."
    )
    updated_at: DateTime | None = strawberry.field(
        description="Time of the last reading. An account with open orders is read every few seconds unless the"
        " exchange announces changes, and every account once a minute."
    )
    open_orders: int | None = strawberry.field(
        description="Number of open orders on the exchange; null until it is known."
    )
    reconnects: int = strawberry.field(description="Number of failures since the start of the service.")
    error: str | None = strawberry.field(
        description="Reason of the last failure of the account, of a part of it or of its stream, e.g. that the keys"
        " are missing or refused; null once all work again. It never has parts of keys."
    )
    reported_at: DateTime = strawberry.field(description="Time of this report. It is renewed every few seconds.")


STATUS_OF_ACCOUNT = Batch(("ex_id",), live.statuses_of_accounts, build=AccountStatus.from_record)
