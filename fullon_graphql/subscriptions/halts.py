"""The halts in force, and the switch that halts trading when its client is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Annotated, Final
from uuid import UUID, uuid4

import strawberry

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Context
from fullon_graphql.errors import Conflict, NotFound, TradingHalted, is_transient
from fullon_graphql.models import HaltScope, SwitchState
from fullon_graphql.models import TradingHalt as HaltRow
from fullon_graphql.schema.halts import (
    CancelOpen,
    HaltedBot,
    HaltedExchange,
    HaltSwitch,
    TradingState,
    WhoseState,
    parse_switch_id,
)
from fullon_graphql.services import halt_switches, halts
from fullon_graphql.services.access import may_change, visible_owner
from fullon_graphql.services.change_feed.table import Interest
from fullon_graphql.services.writing.executor import ChangeRequest
from fullon_graphql.streaming.sources import streamed

RENEWALS: Final = 3
"""Renewals of a switch within its time."""
RETRY_PAUSE: Final = 1.0
"""Seconds between two attempts to renew a switch while PostgreSQL does not answer, or until a due switch has fired."""
DEFAULT_REASON: Final = "The connection of the client was lost."

AfterSeconds = Annotated[
    int,
    strawberry.argument(
        description="Seconds without this subscription after which trading is halted,"
        f" {halt_switches.SHORTEST} to {halt_switches.LONGEST}."
    ),
]
SwitchScope = Annotated[HaltScope, strawberry.argument(description="Scope of the halt; ALL means all your bots.")]
SwitchReason = Annotated[str, strawberry.argument(description="Reason of the halt, if the switch fires.")]
ArmedSwitch = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="The `switchId` of an armed switch that this subscription takes over, after a lost connection. The"
        " switch keeps its scope, its reason and `cancelOpen`. Without it a new switch is armed."
    ),
]


@dataclass
class StateSource:
    """The halts in force, whenever one begins or ends."""

    context: Context
    uid: int | None
    _newest: list[TradingState] = field(default_factory=list, init=False)

    async def events(self) -> AsyncGenerator[TradingState, None]:
        worker, last = self.context.worker, None
        async with aclosing(worker.changes.follow(Interest(HaltRow, None, None))) as batches:
            async for _ in batches:
                state = await halts.state(worker.database, self.context.caller, self.uid)
                if state != last:
                    last, self._newest = state, [TradingState.from_record(state)]
                    yield self._newest[0]

    def snapshot(self) -> list[TradingState]:
        return self._newest


@dataclass
class SwitchSource:
    """One armed switch, renewed while the subscription is open. Its events are the switch after each renewal."""

    context: Context
    new: halt_switches.NewSwitch
    armed_id: UUID | None
    """The switch to take over; None to arm a new one."""
    _subscription: UUID = field(default_factory=uuid4, init=False)
    _newest: list[HaltSwitch] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._switch_id = self.armed_id or uuid4()

    async def events(self) -> AsyncGenerator[HaltSwitch, None]:
        switch = await self._begin()
        while switch.subscription == self._subscription:
            changed = not self._newest or self._newest[0].expires_at != switch.expires_at
            if changed or switch.state is not SwitchState.ARMED:
                self._newest = [HaltSwitch.from_record(switch)]
                yield self._newest[0]
            if switch.state is not SwitchState.ARMED:
                return
            await asyncio.sleep(switch.after_seconds / RENEWALS if changed else RETRY_PAUSE)
            switch = await self._renew(switch.after_seconds)

    def snapshot(self) -> list[HaltSwitch]:
        return self._newest

    async def complete(self) -> None:
        """Disarm the switch, unless it has fired or another subscription has taken it over."""
        context, switch_id = self.context, self._switch_id
        request = ChangeRequest(context.caller, "disarmHaltSwitch", {"switch_id": str(switch_id)}, context.request_id)
        with suppress(NotFound, Conflict, TradingHalted):
            await context.worker.writes.perform(
                request,
                lambda write: halt_switches.disarm(write, switch_id, self._subscription),
                halt_switches.read_switch,
            )

    async def _begin(self) -> halt_switches.Switch:
        context, new, switch_id = self.context, self.new, self._switch_id
        if self.armed_id is not None:
            uid = signed_in(context.caller).uid
            return await halt_switches.take_over(
                context.worker.database, uid, switch_id, new.after_seconds, self._subscription
            )
        arguments = {
            "scope": new.scope.value, "ex_id": new.ex_id, "bot_id": new.bot_id,
            "after_seconds": new.after_seconds, "cancel_open": new.cancel_open, "reason": new.reason,
        }  # fmt: skip
        request = ChangeRequest(context.caller, halt_switches.OPERATION, arguments, context.request_id)
        return await context.worker.writes.perform(
            request,
            lambda write: halt_switches.arm(write, new, switch_id, self._subscription),
            halt_switches.read_switch,
        )

    async def _renew(self, seconds: int) -> halt_switches.Switch:
        """Renew the switch; tried again while PostgreSQL does not answer, until the switch's time has passed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            try:
                return await halt_switches.renew(self.context.worker.database, self._switch_id, self._subscription)
            except Exception as error:
                if not is_transient(error) or loop.time() > deadline:
                    raise
            await asyncio.sleep(RETRY_PAUSE)


def _trading_state(context: Context, uid: WhoseState = None) -> StateSource:
    visible_owner(HaltRow, context.caller)
    return StateSource(context, uid)


def _halt_on_disconnect(
    context: Context,
    after_seconds: AfterSeconds,
    scope: SwitchScope = HaltScope.ALL,
    ex_id: HaltedExchange = None,
    bot_id: HaltedBot = None,
    cancel_open: CancelOpen = False,
    reason: SwitchReason = DEFAULT_REASON,
    switch_id: ArmedSwitch = None,
) -> SwitchSource:
    may_change(context.caller, halt_switches.OPERATION)
    new = halt_switches.NewSwitch(scope, ex_id, bot_id, after_seconds, bool(cancel_open), reason)
    return SwitchSource(context, new, None if switch_id is None else parse_switch_id(switch_id))


@strawberry.type
class HaltSubscriptions:
    trading_state: TradingState = streamed(
        "The halts of trading that are in force: the current ones first, then all whenever one begins or ends.",
        _trading_state,
    )
    halt_on_disconnect: HaltSwitch = streamed(
        "A dead-man's switch: trading of your bots is halted `afterSeconds` after this subscription is lost. Each event"
        " is the switch after its deadline was moved. Completing the subscription over a WebSocket disarms the switch;"
        " closing the connection does not, and neither does the end of the server. Over HTTP, disarm it with"
        " `disarmHaltSwitch`. Requires the scope `bots:write`.",
        _halt_on_disconnect,
        exclusive=True,
    )
