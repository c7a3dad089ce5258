"""Halting and resuming of trading."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.mutations import change
from fullon_graphql.models import HaltScope
from fullon_graphql.schema.halts import TradingHalt, TradingState
from fullon_graphql.services import halts
from fullon_graphql.services.writing.executor import Key, UnitOfWork

WhichHalt = Annotated[int, strawberry.argument(description="Key of the halt.")]
WhatIsHalted = Annotated[HaltScope, strawberry.argument(description="Scope of the halt.")]
HaltedExchange = Annotated[
    int | None, strawberry.argument(description="Key of the exchange account, with the scope EXCHANGE.")
]
HaltedBot = Annotated[int | None, strawberry.argument(description="Key of the bot, with the scope BOT.")]
HaltedUser = Annotated[
    int | None,
    strawberry.argument(
        description="With the scope ALL: `uid` of the user whose trading is halted, by default your own. Another user"
        " requires an administrator."
    ),
]
Everyone = Annotated[
    bool | None,
    strawberry.argument(
        description="With the scope ALL: if true, trading of all users is halted. Requires an administrator."
    ),
]
Reason = Annotated[
    str, strawberry.argument(description=f"Reason, at most {halts.LONGEST_REASON} characters; every error quotes it.")
]
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


async def _halt(write: UnitOfWork, halt_id: Key) -> TradingHalt:
    return TradingHalt.from_record(await halts.read_halt(write, int(str(halt_id))))


@strawberry.type
class HaltQueries:
    @strawberry.field(description="The halts of trading that are in force now.")
    async def trading_state(self, info: Info, uid: WhoseState = None) -> TradingState:
        return TradingState.from_record(await halts.state(info.context.database, info.context.caller, uid))


@strawberry.type
class HaltMutations:
    @change(
        TradingHalt,
        "Halt trading: switch off the bots that are on, and keep them and new orders off until `resumeTrading`. A dry"
        " run returns what would be switched off, canceled and blocked. A repeated halt of the same target extends the"
        " first one.",
        _halt,
    )
    async def halt_trading(
        self,
        write: UnitOfWork,
        scope: WhatIsHalted,
        reason: Reason,
        ex_id: HaltedExchange = None,
        bot_id: HaltedBot = None,
        uid: HaltedUser = None,
        everyone: Everyone = False,
        cancel_open: CancelOpen = False,
    ) -> int:
        target = await halts.find_target(write, scope, ex_id=ex_id, bot_id=bot_id, uid=uid, everyone=bool(everyone))
        return await halts.halt(write, target, reason, cancel_open=bool(cancel_open))

    @change(
        TradingHalt,
        "End a halt and switch on exactly the bots that it has switched off, except those that another halt covers."
        " Canceled orders stay canceled. FORBIDDEN if an administrator has halted trading and you are none; CONFLICT if"
        " the halt has ended already.",
        _halt,
    )
    async def resume_trading(self, write: UnitOfWork, halt_id: WhichHalt) -> int:
        return await halts.resume(write, halt_id)
