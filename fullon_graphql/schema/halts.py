"""Halts of trading."""

from __future__ import annotations

import strawberry

from fullon_graphql.models import HaltScope
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.halts import Halt, State

described(
    HaltScope,
    "Scope of a halt of trading.",
    {
        HaltScope.ALL: "All bots and exchange accounts of one user, or of all users.",
        HaltScope.EXCHANGE: "One exchange account, with all bots that trade on it.",
        HaltScope.BOT: "One bot.",
    },
)


@strawberry.type(description="An instrument of an exchange account that no bot may trade.")
class BlockedInstrument(FromRecord):
    ex_id: int = strawberry.field(description="Key of the exchange account.")
    symbol: str = strawberry.field(description="Instrument in the exchange's spelling, e.g. `BTC/USD`.")


@strawberry.type(
    description="A halt of trading: its bots are switched off and cannot be switched on, and no order can be created"
    " for them, until `resumeTrading` ends it."
)
class TradingHalt:
    halt_id: int = strawberry.field(description="Key of the halt, for `resumeTrading`.")
    scope: HaltScope = strawberry.field(description="Scope of the halt.")
    uid: int | None = strawberry.field(
        description="`uid` of the owner of the halted bots and accounts; null if trading of all users is halted."
    )
    ex_id: int | None = strawberry.field(description="Key of the exchange account, with the scope EXCHANGE.")
    bot_id: int | None = strawberry.field(description="Key of the bot, with the scope BOT.")
    reason: str = strawberry.field(description="Reason as given when trading was halted.")
    since: DateTime = strawberry.field(description="Time at which the halt began.")
    by: int = strawberry.field(description="`uid` of the account that has halted trading.")
    switch_id: strawberry.ID | None = strawberry.field(
        description="Id of the switch that has halted trading because its client was lost; null after a request."
    )
    bot_ids: list[int] = strawberry.field(
        description="Keys of the bots that the halt has switched off. Its end switches on exactly these."
    )
    canceled_order_ids: list[int] = strawberry.field(description="Keys of the orders that the halt has canceled.")
    blocked: list[BlockedInstrument] = strawberry.field(
        description="Instruments that the halt blocks for every bot, by account and symbol; empty with the scope BOT"
        " and after the end."
    )
    ended_at: DateTime | None = strawberry.field(description="Time of the end; null while the halt is in force.")
    ended_by: int | None = strawberry.field(description="`uid` of the account that has ended the halt.")
    resumed_bot_ids: list[int] = strawberry.field(
        description="Keys of the bots that the end has switched on. The others were deleted, were on already, or are"
        " covered by another halt, which switches them on when it ends."
    )

    @classmethod
    def from_record(cls, halt: Halt) -> TradingHalt:
        """The halt with its instruments."""
        return cls(
            halt_id=halt.halt_id,
            scope=halt.scope,
            uid=halt.uid,
            ex_id=halt.ex_id,
            bot_id=halt.bot_id,
            reason=halt.reason,
            since=DateTime(halt.since),
            by=halt.by,
            switch_id=strawberry.ID(str(halt.switch_id)) if halt.switch_id else None,
            bot_ids=list(halt.bot_ids),
            canceled_order_ids=list(halt.canceled_order_ids),
            blocked=list(map(BlockedInstrument.from_record, halt.blocked)),
            ended_at=DateTime(halt.ended_at) if halt.ended_at else None,
            ended_by=halt.ended_by,
            resumed_bot_ids=list(halt.resumed_bot_ids),
        )


@strawberry.type(description="The halts of trading that are in force.")
class TradingState:
    halted: bool = strawberry.field(
        description="True if all trading is halted: of the user asked for, by default of you; halts of single bots or"
        " accounts do not count."
    )
    halts: list[TradingHalt] = strawberry.field(description="The halts in force, by key.")

    @classmethod
    def from_record(cls, state: State) -> TradingState:
        """The state with its halts."""
        return cls(halted=state.halted, halts=list(map(TradingHalt.from_record, state.halts)))
