"""Halts of trading."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from fullon_graphql.errors import BadUserInput, NotFound, shortened
from fullon_graphql.models import HaltScope, SwitchState
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.records import FromRecord
from fullon_graphql.schema.support.scalars import DateTime, parse_uuid
from fullon_graphql.services.halt_switches import Switch
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


described(
    SwitchState,
    "State of a dead-man's switch.",
    {
        SwitchState.ARMED: "The switch fires at its deadline, unless its subscription moves the deadline.",
        SwitchState.FIRED: "The switch has halted trading.",
        SwitchState.DISARMED: "The switch was disarmed.",
    },
)


HaltedExchange = Annotated[
    int | None, strawberry.argument(description="Key of the exchange account, with the scope EXCHANGE.")
]
HaltedBot = Annotated[int | None, strawberry.argument(description="Key of the bot, with the scope BOT.")]
CancelOpen = Annotated[
    bool | None,
    strawberry.argument(
        description="If true, all open orders of the halted bots or account are marked as canceled too, as"
        " `cancelOrder` does."
    ),
]
WhoseState = Annotated[
    int | None,
    strawberry.argument(
        description="`uid` of a user: only the halts that cover this user's bots. NOT_FOUND if you may not see the"
        " user. By default all halts that you may see, for administrators those of all users."
    ),
]


def parse_switch_id(switch_id: str) -> UUID:
    """The id of a switch.

    Raises:
        NotFound: the text is no id of a switch.
    """
    try:
        return parse_uuid(switch_id)
    except BadUserInput:
        raise NotFound(f"No HaltSwitch with key {shortened(switch_id)}.") from None


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


@strawberry.type(description="A dead-man's switch: it halts trading unless its client stays connected.")
class HaltSwitch:
    switch_id: strawberry.ID = strawberry.field(
        description="Id of the switch, to take it over after a lost connection."
    )
    scope: HaltScope = strawberry.field(description="Scope of the halt.")
    ex_id: int | None = strawberry.field(description="Key of the exchange account, with the scope EXCHANGE.")
    bot_id: int | None = strawberry.field(description="Key of the bot, with the scope BOT.")
    reason: str = strawberry.field(description="Reason of the halt, if the switch fires.")
    cancel_open: bool = strawberry.field(description="True if the halt cancels open orders.")
    after_seconds: int = strawberry.field(description="Seconds without the subscription after which the switch fires.")
    state: SwitchState = strawberry.field(description="State of the switch.")
    armed_at: DateTime = strawberry.field(description="Time at which the switch was armed.")
    expires_at: DateTime = strawberry.field(description="Deadline, by the clock of the database.")
    halt_id: int | None = strawberry.field(description="Key of the halt that the switch has begun; null before.")

    @classmethod
    def from_record(cls, switch: Switch) -> HaltSwitch:
        """The switch."""
        return cls(
            switch_id=strawberry.ID(str(switch.switch_id)),
            scope=switch.scope,
            ex_id=switch.ex_id,
            bot_id=switch.bot_id,
            reason=switch.reason,
            cancel_open=switch.cancel_open,
            after_seconds=switch.after_seconds,
            state=switch.state,
            armed_at=DateTime(switch.armed_at),
            expires_at=DateTime(switch.expires_at),
            halt_id=switch.halt_id,
        )
