"""Halting and resuming of trading."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.mutations import change
from fullon_graphql.models import HaltScope
from fullon_graphql.schema.halts import (
    CancelOpen,
    HaltedBot,
    HaltedExchange,
    HaltSwitch,
    TradingHalt,
    TradingState,
    WhoseState,
    parse_switch_id,
)
from fullon_graphql.services import halt_switches, halts
from fullon_graphql.services.writing.executor import Key, UnitOfWork

WhichHalt = Annotated[int, strawberry.argument(description="Key of the halt.")]
WhatIsHalted = Annotated[HaltScope, strawberry.argument(description="Scope of the halt.")]
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
WhichSwitch = Annotated[strawberry.ID, strawberry.argument(description="The `switchId` of the switch.")]


async def _halt(write: UnitOfWork, halt_id: Key) -> TradingHalt:
    return TradingHalt.from_record(await halts.read_halt_by_key(write, halt_id))


async def _switch(write: UnitOfWork, switch_id: Key) -> HaltSwitch:
    return HaltSwitch.from_record(await halt_switches.read_switch(write, switch_id))


@strawberry.type
class HaltQueries:
    @strawberry.field(description="The halts of trading that are in force now.")
    async def trading_state(self, info: Info, uid: WhoseState = None) -> TradingState:
        return TradingState.from_record(await halts.state(info.context.database, info.context.caller, uid))

    @strawberry.field(
        description="The armed switches of `haltOnDisconnect`, the one that is due first at the beginning: your own, or"
        " all for administrators."
    )
    async def halt_switches(self, info: Info) -> list[HaltSwitch]:
        found = await halt_switches.armed(info.context.database, info.context.caller)
        return list(map(HaltSwitch.from_record, found))


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

    @change(
        HaltSwitch,
        "Disarm a switch of `haltOnDisconnect`: it will not halt trading. TRADING_HALTED if it has fired already.",
        _switch,
    )
    async def disarm_halt_switch(self, write: UnitOfWork, switch_id: WhichSwitch) -> str:
        return await halt_switches.disarm(write, parse_switch_id(switch_id))
