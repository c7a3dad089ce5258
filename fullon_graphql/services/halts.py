"""Halts of trading: of one bot, of one exchange account, or of all bots of a user or of everybody.

A halt switches off the bots that are on, remembers them, and refuses to switch them on until it ends. Its end switches
on exactly those bots, except bots that another halt covers: that halt switches them on when it ends.

Halts, their ends and everything that could start trading take one lock of PostgreSQL, shared for the latter. So a bot
cannot be switched on, and an order cannot be stored, while a halt begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.auth.principal import Caller, signed_in
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, Conflict, NotFound, TradingHalted, shortened
from fullon_graphql.models import Bot, BotExchange, Exchange, HaltScope, Order, TradingHalt, User
from fullon_graphql.models.order_status import CANCELED, is_open
from fullon_graphql.services.access import may_halt, may_resume, read_scope, visible, visible_owner
from fullon_graphql.services.halt_blocks import blocked_instruments
from fullon_graphql.services.writing.checks import has_only_storable, not_blank
from fullon_graphql.services.writing.executor import Key, UnitOfWork, image

LONGEST_REASON: Final = 200

_LOCK_ID = func.hashtext("fullon_graphql trading halts")
_NO_TRADING_STARTS = select(func.pg_advisory_xact_lock(_LOCK_ID))
_NO_HALT_BEGINS = select(func.pg_advisory_xact_lock_shared(_LOCK_ID))


@dataclass(frozen=True, slots=True)
class Target:
    """The bots and accounts to halt. `uid` is the owner, or None for the bots of all users."""

    scope: HaltScope
    uid: int | None
    ex_id: int | None = None
    bot_id: int | None = None


@dataclass(frozen=True, slots=True)
class BlockedInstrument:
    """An instrument of an account that no bot may trade."""

    ex_id: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt with the instruments that it blocks; none after its end. Times are UTC."""

    halt_id: int
    scope: HaltScope
    uid: int | None
    ex_id: int | None
    bot_id: int | None
    reason: str
    since: datetime
    by: int
    switch_id: UUID | None
    bot_ids: Sequence[int]
    canceled_order_ids: Sequence[int]
    ended_at: datetime | None
    ended_by: int | None
    resumed_bot_ids: Sequence[int]
    blocked: Sequence[BlockedInstrument]


@dataclass(frozen=True, slots=True)
class State:
    """The halts in force, by key. `halted` is True if one of them covers all bots of the user."""

    halted: bool
    halts: Sequence[Halt]


async def find_target(
    write: UnitOfWork,
    scope: HaltScope,
    *,
    ex_id: int | None = None,
    bot_id: int | None = None,
    uid: int | None = None,
    everyone: bool = False,
) -> Target:
    """The target that the arguments of a request name. Without `uid` ALL means the caller's own bots.

    Raises:
        BadUserInput: the scope does not take an argument, or needs one.
        NotFound: there is no such bot, account or user that the caller may see.
        Forbidden: only an administrator may halt trading of other users.
    """
    allowed = {HaltScope.BOT: {"botId"}, HaltScope.EXCHANGE: {"exId"}, HaltScope.ALL: {"uid", "everyone"}}[scope]
    given = {"botId": bot_id, "exId": ex_id, "uid": uid, "everyone": everyone or None}
    for name, value in given.items():
        if value is not None and name not in allowed:
            raise BadUserInput(f"The scope {scope} does not take `{name}`.", field=name)
    if scope is HaltScope.ALL:
        return await _all_of(write, uid, everyone=everyone)
    [name] = allowed
    if given[name] is None:
        raise BadUserInput(f"The scope {scope} needs `{name}`.", field=name)
    model = Bot if scope is HaltScope.BOT else Exchange
    found = await write.find(model, given[name], lock=False)
    return Target(scope, found.uid, ex_id, bot_id)


async def _all_of(write: UnitOfWork, uid: int | None, *, everyone: bool) -> Target:
    if everyone and uid is not None:
        raise BadUserInput("Give either `uid` or `everyone`.", field="everyone")
    owner = None if everyone else write.principal.uid if uid is None else uid
    may_halt(write.principal, owner)
    if owner not in {None, write.principal.uid}:
        await write.find(User, owner, lock=False)
    return Target(HaltScope.ALL, owner)


async def halt(
    write: UnitOfWork, target: Target, reason: str, *, cancel_open: bool = False, switch_id: UUID | None = None
) -> int:
    """Halt trading of the target; returns the key of the halt.

    With `cancel_open` its open orders are canceled in the same transaction. If the caller's halt of the same target is
    in force already, that halt is extended by the bots and orders that are found now.

    Raises:
        BadUserInput: the reason is blank or too long.
    """
    check_reason(reason)
    await write.connection.execute(_NO_TRADING_STARTS)
    before, row = None, await _in_force(write.connection, target, write.principal.uid)
    if row is None:
        values = {
            "scope": target.scope, "uid": target.uid, "ex_id": target.ex_id, "bot_id": target.bot_id,
            "reason": reason, "by": write.principal.uid, "switch_id": switch_id,
        }  # fmt: skip
        stored = insert(TradingHalt).values(**values).returning(TradingHalt)
        row = (await write.connection.execute(stored)).one()
    else:
        before = image(TradingHalt, row)
    bots = await _keys(write, update(Bot).where(Bot.active, _by(row, covers_bot())).values(active=False), Bot.bot_id)
    orders: list[int] = []
    if cancel_open:
        canceled = update(Order).where(is_open(), _by(row, _covers_order())).values(status=CANCELED)
        orders = await _keys(write, canceled, Order.order_id)
    row = await _change(write.connection, row, bots=_union(row.bots, bots), orders=_union(row.orders, orders))
    write.record("TradingHalt", str(row.halt_id), before, image(TradingHalt, row))
    write.halts_changed = True
    return int(row.halt_id)


async def resume(write: UnitOfWork, halt_id: int) -> int:
    """End a halt, and switch on the bots that it has switched off, unless another halt covers them.

    Raises:
        NotFound: there is no such halt that the caller may see.
        Forbidden: an administrator has halted trading, and the caller is none.
        Conflict: the halt has ended already.
    """
    await write.connection.execute(_NO_TRADING_STARTS)
    row = await write.find(TradingHalt, halt_id)
    may_resume(write.principal, row.uid, row.by)
    if row.ended_at is not None:
        raise Conflict(f"Halt {halt_id} has ended at {row.ended_at.isoformat()}.")
    before = image(TradingHalt, row)
    row = await _change(write.connection, row, ended_at=func.now(), ended_by=write.principal.uid)
    kept = await _hand_over(write.connection, row.bots)
    free = [bot_id for bot_id in row.bots if bot_id not in kept]
    started = update(Bot).where(Bot.bot_id.in_(free), Bot.active.is_(False)).values(active=True)
    row = await _change(write.connection, row, resumed=await _keys(write, started, Bot.bot_id))
    write.record("TradingHalt", str(halt_id), before, image(TradingHalt, row))
    write.halts_changed = True
    return halt_id


async def require_no_halt(write: UnitOfWork, uid: int, bot_id: int | None = None, ex_id: int | None = None) -> None:
    """Check that no halt covers a user's bot on its accounts, or the account `ex_id`. Call `lock_out_halts` before.

    Raises:
        TradingHalted: a halt does; the message says how to end it.
    """
    attached = select(BotExchange.ex_id).where(BotExchange.bot_id == bot_id)
    on_account = or_(TradingHalt.ex_id == ex_id, TradingHalt.ex_id.in_(attached))
    covered = or_(
        and_(TradingHalt.scope == HaltScope.ALL, or_(TradingHalt.uid.is_(None), TradingHalt.uid == uid)),
        and_(TradingHalt.scope == HaltScope.BOT, TradingHalt.bot_id == bot_id),
        and_(TradingHalt.scope == HaltScope.EXCHANGE, on_account),
    )
    query = select(TradingHalt).where(TradingHalt.ended_at.is_(None), covered).order_by(TradingHalt.halt_id)
    found = (await write.connection.execute(query.limit(1))).first()
    if found is not None:
        raise TradingHalted(_explained(found), halt_id=found.halt_id)


async def lock_out_halts(write: UnitOfWork) -> None:
    """Let no halt begin until the transaction ends. Call it before rows are locked."""
    await write.connection.execute(_NO_HALT_BEGINS)


async def read_halt(write: UnitOfWork, halt_id: int) -> Halt:
    """The halt, as it is in the unit of work."""
    row = await _stored(write.connection, halt_id)
    blocked = (await write.connection.execute(blocked_instruments(TradingHalt.halt_id == halt_id))).all()
    return _halt(row, blocked)


async def read_halt_by_key(write: UnitOfWork, key: Key) -> Halt:
    """The halt with the key that a change has returned."""
    return await read_halt(write, int(str(key)))


async def state(database: Database, caller: Caller, uid: int | None = None) -> State:
    """The halts in force that the caller may see, or those that cover the bots of user `uid`.

    Raises:
        Unauthenticated, Forbidden: as `visible` does.
        NotFound: the caller may not see this user.
    """
    owner = visible_owner(TradingHalt, caller)
    if uid is not None and owner not in {None, uid}:
        raise NotFound(f"No User with key {shortened(uid)}.")
    shown = visible(TradingHalt, caller).where(TradingHalt.ended_at.is_(None)).order_by(TradingHalt.halt_id)
    if uid is not None:
        shown = shown.where(or_(TradingHalt.uid == uid, TradingHalt.uid.is_(None)))
    rows = await database.rows(shown)
    keys = [row.halt_id for row in rows]
    blocked: list[Any] = []
    if rows:
        blocked += await database.rows(blocked_instruments(TradingHalt.halt_id.in_(keys)))
    found = [_halt(row, [one for one in blocked if one.halt_id == row.halt_id]) for row in rows]
    covered = {None, signed_in(caller, read_scope(TradingHalt)).uid if uid is None else uid}
    return State(any(halt.scope is HaltScope.ALL and halt.uid in covered for halt in found), found)


def check_reason(reason: str) -> None:
    """Raises BadUserInput if the reason of a halt is blank, too long, or cannot be stored."""
    not_blank({"reason": reason}, "reason")
    if len(reason) > LONGEST_REASON:
        message = f"`reason` has {len(reason)} characters; at most {LONGEST_REASON} are allowed."
        raise BadUserInput(message, field="reason")
    if not has_only_storable(reason):
        raise BadUserInput("`reason` has a character that cannot be stored.", field="reason")


def covers_bot() -> ColumnElement[bool]:
    """The condition between rows of `TradingHalt` and `Bot` that the halt covers the bot."""
    attached = exists().where(BotExchange.bot_id == Bot.bot_id, BotExchange.ex_id == TradingHalt.ex_id)
    return or_(
        and_(TradingHalt.scope == HaltScope.ALL, or_(TradingHalt.uid.is_(None), TradingHalt.uid == Bot.uid)),
        and_(TradingHalt.scope == HaltScope.BOT, TradingHalt.bot_id == Bot.bot_id),
        and_(TradingHalt.scope == HaltScope.EXCHANGE, attached.correlate(Bot, TradingHalt)),
    )


def _covers_order() -> ColumnElement[bool]:
    return or_(
        and_(TradingHalt.scope == HaltScope.ALL, or_(TradingHalt.uid.is_(None), TradingHalt.uid == Order.uid)),
        and_(TradingHalt.scope == HaltScope.BOT, TradingHalt.bot_id == Order.bot_id),
        and_(TradingHalt.scope == HaltScope.EXCHANGE, TradingHalt.ex_id == Order.ex_id),
    )


def _by(halt_row: Row[Any], covers: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(TradingHalt.halt_id).where(TradingHalt.halt_id == halt_row.halt_id, covers))


async def _in_force(connection: AsyncConnection, target: Target, by: int) -> Row[Any] | None:
    query = select(TradingHalt).where(
        TradingHalt.ended_at.is_(None),
        TradingHalt.by == by,
        TradingHalt.scope == target.scope,
        TradingHalt.uid.is_not_distinct_from(target.uid),
        TradingHalt.ex_id.is_not_distinct_from(target.ex_id),
        TradingHalt.bot_id.is_not_distinct_from(target.bot_id),
    )
    return (await connection.execute(query)).first()


async def _hand_over(connection: AsyncConnection, bot_ids: Sequence[int]) -> set[int]:
    """Give the bots that other halts in force cover to these; returns their keys."""
    query = (
        select(TradingHalt.halt_id, Bot.bot_id)
        .join(Bot, covers_bot())
        .where(TradingHalt.ended_at.is_(None), Bot.bot_id.in_(bot_ids))
        .order_by(TradingHalt.halt_id)
    )
    heirs: dict[int, int] = {}
    for covering in await connection.execute(query):
        heirs.setdefault(covering.bot_id, covering.halt_id)
    for halt_id in sorted(set(heirs.values())):
        row = await _stored(connection, halt_id)
        await _change(connection, row, bots=_union(row.bots, [bot for bot, heir in heirs.items() if heir == halt_id]))
    return set(heirs)


async def _stored(connection: AsyncConnection, halt_id: int) -> Row[Any]:
    query = select(TradingHalt).where(TradingHalt.halt_id == halt_id)
    return (await connection.execute(query)).one()


async def _change(connection: AsyncConnection, row: Row[Any], **values: Any) -> Row[Any]:
    changed = update(TradingHalt).where(TradingHalt.halt_id == row.halt_id).values(**values)
    return (await connection.execute(changed.returning(TradingHalt))).one()


async def _keys(write: UnitOfWork, statement: Any, key: Any) -> list[int]:
    return sorted((await write.connection.execute(statement.returning(key))).scalars())


def _union(some: Sequence[int], more: Sequence[int]) -> list[int]:
    return sorted({*some, *more})


def _halt(row: Row[Any], blocked: Sequence[Any]) -> Halt:
    return Halt(
        halt_id=row.halt_id,
        scope=HaltScope(row.scope),
        uid=row.uid,
        ex_id=row.ex_id,
        bot_id=row.bot_id,
        reason=row.reason,
        since=row.since,
        by=row.by,
        switch_id=row.switch_id,
        bot_ids=row.bots,
        canceled_order_ids=row.orders,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        resumed_bot_ids=row.resumed,
        blocked=[BlockedInstrument(one.ex_id, one.symbol) for one in blocked],
    )


def _explained(row: Row[Any]) -> str:
    names = {HaltScope.BOT: f"of bot {row.bot_id}", HaltScope.EXCHANGE: f"on account {row.ex_id}"}
    what = names.get(row.scope, "of all users" if row.uid is None else "of all bots")
    end = f"End the halt with `resumeTrading(haltId: {row.halt_id})`"
    rights = ", as an administrator" if row.uid != row.by else ""
    return f"Trading {what} is halted since {row.since.isoformat()}: {shortened(row.reason)}. {end}{rights}."
