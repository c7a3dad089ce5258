"""Statements of the reference execution: compiled in the planner's thread, and remembered.

SQLAlchemy takes milliseconds for a statement and leaves thousands of objects in reference cycles. The planner's thread
collects them while they are young; on the event loop they would outlive the request, until a full collection.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Integer, Select, bindparam

from fullon_graphql.auth.principal import Caller, Principal
from fullon_graphql.context import Context
from fullon_graphql.database import record_statement
from fullon_graphql.database.precompiled import Statement, compiled
from fullon_graphql.engine.background import in_background
from fullon_graphql.joined_calls import SharedRuns
from fullon_graphql.lru import ENTRY_BYTES, PROCESS_CACHES, LRUCache

Build = Callable[[Caller], Select[Any]]
"""Builds a statement for a class of callers; the `uid` of the given one is a parameter."""

CALLER: Final = "caller_uid"
_statements: LRUCache[Hashable, Statement] = LRUCache(4 * 2**20)
PROCESS_CACHES["reference_statements"] = _statements


async def read_rows(context: Context, name: Hashable, build: Build, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a statement by column name.

    `name` has everything that the statement's text and fixed values depend on, except the caller. The parameters
    are those that it leaves open.

    Raises:
        ServiceUnavailable: too many new documents and statements are waiting.
    """
    statement = await _prepared(context.worker.first_runs, context.caller, name, build)
    record_statement(statement.text)
    if isinstance(context.caller, Principal):
        parameters[CALLER] = context.caller.uid
    return await context.database.objects(statement, **parameters)


async def _prepared(runs: SharedRuns, caller: Caller, name: Hashable, build: Build) -> Statement:
    if not isinstance(caller, Principal):
        return await in_background(lambda: compiled(build(caller)))
    key = (name, caller.admin, caller.scopes)

    async def make() -> Statement:
        any_caller = replace(caller, uid=bindparam(CALLER, type_=Integer()))  # type: ignore[arg-type]  # in place of a number
        made = await in_background(lambda: compiled(build(any_caller)))
        return _statements.put(key, made, ENTRY_BYTES + _size(made))

    found = _statements.get(key)
    return found if found is not None else await runs(key, make)


def _size(statement: Statement) -> int:
    """The estimated bytes of a statement and its name, which has the fixed values too."""
    values = sum(len(value) if isinstance(value, list | str) else 1 for value in statement.fixed.values())
    return 4_000 + 2 * len(statement.text) + 200 * (len(statement.parameters) + values)
