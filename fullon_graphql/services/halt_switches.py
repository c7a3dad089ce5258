"""Dead-man's switches: trading is halted unless the client that has armed one stays connected.

An armed switch is a row with a deadline, by the clock of PostgreSQL. While its subscription is open, the worker moves
the deadline; completing the subscription disarms the switch, and losing the connection does not. The row outlives
workers and servers. Every worker and every services process looks for switches that are due; the row's lock lets one
of them fire it, in the transaction of the halt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from redis.asyncio import Redis
from sqlalchemy import ColumnElement, Row, and_, delete, extract, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.principal import Caller, Principal, Scope
from fullon_graphql.background import Ready, Work
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Conflict, NotFound, RateLimited, TradingHalted, shortened
from fullon_graphql.models import HaltScope, HaltSwitch, SwitchState
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.services import halts
from fullon_graphql.services.access import visible
from fullon_graphql.services.halt_blocks import BlockKeeper
from fullon_graphql.services.writing.executor import ChangeExecutor, ChangeRequest, Key, UnitOfWork, image

OPERATION: Final = "haltOnDisconnect"
"""The name of arming and of firing a switch in the audit log."""
SHORTEST: Final = 5
LONGEST: Final = 3_600
"""Seconds after which a switch may fire."""
PERIOD: Final = float(SHORTEST)
"""Most seconds between two looks for due switches. One that is armed after a look is not due before the next one."""
MOST_AT_ONCE: Final = 100
KEPT_DAYS: Final = 30
"""Days for which a switch that was fired or disarmed is kept."""

_NOW = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class NewSwitch:
    """The arguments of a new switch."""

    scope: HaltScope
    ex_id: int | None
    bot_id: int | None
    after_seconds: int
    cancel_open: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch. `subscription` is the one that may renew it. Times are UTC."""

    switch_id: UUID
    scope: HaltScope
    ex_id: int | None
    bot_id: int | None
    reason: str
    cancel_open: bool
    after_seconds: int
    state: SwitchState
    subscription: UUID
    armed_at: datetime
    expires_at: datetime
    halt_id: int | None


async def arm(write: UnitOfWork, new: NewSwitch, switch_id: UUID, subscription: UUID) -> str:
    """Arm a new switch of the caller; returns its id.

    Raises:
        BadUserInput: an argument is invalid.
        NotFound: the caller has no such bot or account.
        RateLimited: the account has as many armed switches as it may have.
    """
    check_seconds(new.after_seconds)
    halts.check_reason(new.reason)
    uid = write.principal.uid
    target = await halts.find_target(write, new.scope, ex_id=new.ex_id, bot_id=new.bot_id)
    if target.uid != uid:
        raise NotFound("A switch halts your own trading; there is no such bot or account of yours.")
    await write.connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("fullon_graphql switches"), uid)))
    await _make_room(write)
    values = {
        "switch_id": switch_id, "uid": uid, "scope": new.scope, "ex_id": new.ex_id, "bot_id": new.bot_id,
        "reason": new.reason, "cancel_open": new.cancel_open, "after_seconds": new.after_seconds,
        "state": SwitchState.ARMED, "subscription": subscription, "expires_at": _deadline(new.after_seconds),
    }  # fmt: skip
    row = (await write.connection.execute(insert(HaltSwitch).values(**values).returning(HaltSwitch))).one()
    write.record("HaltSwitch", str(switch_id), None, image(HaltSwitch, row))
    return str(switch_id)


async def take_over(database: Database, uid: int, switch_id: UUID, seconds: int, subscription: UUID) -> Switch:
    """Let another subscription of the account renew an armed switch, from now on every `seconds` at the latest.

    Raises:
        BadUserInput: the seconds are out of range.
        NotFound: the account has no such switch.
        TradingHalted: it has fired.
        Conflict: its time has passed, or it is disarmed.
    """
    check_seconds(seconds)
    own = and_(HaltSwitch.switch_id == switch_id, HaltSwitch.uid == uid)
    values = {"subscription": subscription, "after_seconds": seconds, "expires_at": _deadline(seconds)}

    async def work(connection: AsyncConnection) -> Row[Any] | None:
        renewed = update(HaltSwitch).where(own, _renewable()).values(**values).returning(HaltSwitch)
        return (await connection.execute(renewed)).first()

    row = await database.in_transaction(work)
    if row is None:
        raise _not_renewable(await database.row(select(HaltSwitch).where(own)), switch_id)
    return _switch(row)


async def renew(database: Database, switch_id: UUID, subscription: UUID) -> Switch:
    """Move the deadline of a switch, if it is armed, in time, and the subscription may; returns its present state."""
    renewed = (
        update(HaltSwitch)
        .where(HaltSwitch.switch_id == switch_id, HaltSwitch.subscription == subscription, _renewable())
        .values(expires_at=_deadline(HaltSwitch.after_seconds))
        .returning(HaltSwitch)
    )

    async def work(connection: AsyncConnection) -> Row[Any]:
        row = (await connection.execute(renewed)).first()
        if row is not None:
            return row
        return (await connection.execute(select(HaltSwitch).where(HaltSwitch.switch_id == switch_id))).one()

    return _switch(await database.in_transaction(work))


async def disarm(write: UnitOfWork, switch_id: UUID, subscription: UUID | None = None) -> str:
    """Disarm a switch of the caller, if it is given only for that `subscription`; returns its id.

    Raises:
        NotFound: the caller has no such armed switch.
        TradingHalted: it has fired.
    """
    own = [HaltSwitch.switch_id == switch_id, HaltSwitch.uid == write.principal.uid]
    if subscription is not None:
        own.append(HaltSwitch.subscription == subscription)
    before = (await write.connection.execute(select(HaltSwitch).where(*own).with_for_update())).first()
    if before is None or before.state != SwitchState.ARMED:
        raise _not_renewable(before, switch_id)
    after = await _end(write.connection, switch_id, SwitchState.DISARMED)
    write.record("HaltSwitch", str(switch_id), image(HaltSwitch, before), image(HaltSwitch, after))
    return str(switch_id)


async def read_switch(write: UnitOfWork, switch_id: Key) -> Switch:
    """The switch, as it is in the unit of work."""
    query = select(HaltSwitch).where(HaltSwitch.switch_id == UUID(str(switch_id)))
    return _switch((await write.connection.execute(query)).one())


async def armed(database: Database, caller: Caller) -> list[Switch]:
    """The armed switches that the caller may see, the one that is due first at the beginning."""
    query = visible(HaltSwitch, caller).where(HaltSwitch.state == SwitchState.ARMED)
    return [_switch(row) for row in await database.rows(query.order_by(HaltSwitch.expires_at, HaltSwitch.switch_id))]


async def fire(write: UnitOfWork, switch_id: UUID) -> int:
    """Halt trading because a switch is due; returns the key of the halt.

    Raises:
        NotFound: it is not due any more. Of concurrent calls one fires.
    """
    due = and_(HaltSwitch.switch_id == switch_id, HaltSwitch.state == SwitchState.ARMED, HaltSwitch.expires_at <= _NOW)
    row = (await write.connection.execute(select(HaltSwitch).where(due).with_for_update())).first()
    if row is None:
        raise NotFound(f"Switch {switch_id} is not due.")
    target = halts.Target(HaltScope(row.scope), row.uid, row.ex_id, row.bot_id)
    halt_id = await halts.halt(write, target, row.reason, cancel_open=row.cancel_open, switch_id=switch_id)
    await _end(write.connection, switch_id, SwitchState.FIRED, halt_id=halt_id)
    return halt_id


class SwitchTimer:
    """Fires switches that are due; a background task. Any number of processes may run it."""

    def __init__(self, database: Database, writes: ChangeExecutor, period: float = PERIOD) -> None:
        self._database = database
        self._writes = writes
        self._period = period

    async def run(self, ready: Ready) -> None:
        """Fire due switches until cancelled."""
        pause = self._period
        while True:
            await asyncio.sleep(pause)
            pause = min(self._period, await self.fire_due())
            ready()

    async def fire_due(self) -> float:
        """Fire the switches that are due; returns the seconds until the next one is.

        Raises:
            Exception: the first error, after all switches have been tried.
        """
        seconds = extract("epoch", HaltSwitch.expires_at - _NOW).label("seconds")
        soonest = (
            select(HaltSwitch.switch_id, HaltSwitch.uid, seconds)
            .where(HaltSwitch.state == SwitchState.ARMED)
            .order_by(HaltSwitch.expires_at)
            .limit(MOST_AT_ONCE)
        )
        errors: list[Exception] = []
        for row in await self._database.rows(soonest):
            if row.seconds > 0:
                return float(row.seconds)
            try:
                await self._fire(row.uid, row.switch_id)
            except NotFound:
                pass  # another process has fired it, or its client is back
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return self._period

    async def _fire(self, uid: int, switch_id: UUID) -> None:
        rights: frozenset[str] = frozenset({Scope.READ, Scope.WRITE})
        owner = Principal(
            uid, mail="", is_admin=False, credential=f"switch:{switch_id}", expires_at=None, scopes=rights
        )
        request = ChangeRequest(owner, OPERATION, {"switch_id": str(switch_id)}, uuid4().hex)
        await self._writes.perform(request, lambda write: fire(write, switch_id), halts.read_halt_by_key)


def halting_tasks(database: Database, redis: Redis, writes: ChangeExecutor) -> Mapping[str, Work]:
    """The background tasks that keep halts and switches, for a worker or a services process."""
    return {
        "switches that halt trading": SwitchTimer(database, writes).run,
        "blocks of halts": BlockKeeper(database, redis).run,
    }


def check_seconds(seconds: int) -> None:
    """Raises BadUserInput if a switch cannot fire after so many seconds."""
    if not SHORTEST <= seconds <= LONGEST:
        message = f"`afterSeconds` is {seconds}; it must be between {SHORTEST} and {LONGEST}."
        raise BadUserInput(message, field="afterSeconds")


async def _make_room(write: UnitOfWork) -> None:
    """Delete old switches of the account, and check the number of armed ones."""
    own, limit = HaltSwitch.uid == write.principal.uid, write.settings.halt_switches_per_user
    old = _NOW - func.make_interval(0, 0, 0, KEPT_DAYS)
    await write.connection.execute(delete(HaltSwitch).where(own, HaltSwitch.ended_at < old))
    count = select(func.count()).where(own, HaltSwitch.state == SwitchState.ARMED)
    if (await write.connection.execute(count)).scalar_one() >= limit:
        count_limit("HALT_SWITCHES_PER_USER")
        raise RateLimited(f"Your account has {limit} armed switches, the limit; disarm some.", retry_after=1)


def _deadline(seconds: Any) -> ColumnElement[datetime]:
    return _NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _renewable() -> ColumnElement[bool]:
    return and_(HaltSwitch.state == SwitchState.ARMED, HaltSwitch.expires_at > _NOW)


def _not_renewable(row: Row[Any] | None, switch_id: UUID) -> NotFound | TradingHalted | Conflict:
    if row is None:
        return NotFound(f"No HaltSwitch with key {shortened(str(switch_id))}.")
    if row.halt_id is not None:
        end = f"`resumeTrading(haltId: {row.halt_id})`"
        message = f"The switch has fired, and trading was halted. End the halt with {end}."
        return TradingHalted(message, halt_id=row.halt_id)
    if row.state == SwitchState.ARMED:
        return Conflict("The time of the switch has passed; trading is being halted.")
    return Conflict("The switch is disarmed; subscribe without `switchId` to arm a new one.")


async def _end(
    connection: AsyncConnection, switch_id: UUID, state: SwitchState, halt_id: int | None = None
) -> Row[Any]:
    values = {"state": state, "ended_at": _NOW, "halt_id": halt_id}
    ended = update(HaltSwitch).where(HaltSwitch.switch_id == switch_id).values(**values).returning(HaltSwitch)
    return (await connection.execute(ended)).one()


def _switch(row: Row[Any]) -> Switch:
    return Switch(
        switch_id=row.switch_id,
        scope=HaltScope(row.scope),
        ex_id=row.ex_id,
        bot_id=row.bot_id,
        reason=row.reason,
        cancel_open=row.cancel_open,
        after_seconds=row.after_seconds,
        state=SwitchState(row.state),
        subscription=row.subscription,
        armed_at=row.armed_at,
        expires_at=row.expires_at,
        halt_id=row.halt_id,
    )
