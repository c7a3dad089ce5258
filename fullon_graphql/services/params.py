"""Parameters: names and texts that belong to a row, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.writing.checks import not_blank, storable
from fullon_graphql.services.writing.executor import UnitOfWork

MAX_PARAMS = 200


async def replace(
    write: UnitOfWork, table: type[Any], owner: InstrumentedAttribute[int], key: int, params: list[Mapping[str, str]]
) -> None:
    """Replace the parameters of the row with `owner` = `key`; each of `params` has a `name` and a `value`.

    Raises:
        BadUserInput: a name is blank or repeated, or a text cannot be stored.
    """
    wanted = _by_name(table, params)
    stored = {row.name: row for row in await write.connection.execute(select(table).where(owner == key))}
    for name in sorted(stored.keys() - wanted.keys()):
        await write.delete(table, stored[name])
    for name, value in sorted(wanted.items()):
        if name not in stored:
            await write.insert(table, {owner.key: key, "name": name, "value": value})
        elif stored[name].value != value:
            await write.update(table, stored[name], {"value": value})


def _by_name(table: type[Any], params: list[Mapping[str, str]]) -> dict[str, str]:
    if len(params) > MAX_PARAMS:
        raise BadUserInput(f"`params` has {len(params)} entries; at most {MAX_PARAMS} are allowed.", field="params")
    for param in params:
        not_blank(storable(table, param), "name")
    named = {param["name"]: param["value"] for param in params}
    if len(named) < len(params):
        raise BadUserInput("`params` has a name twice.", field="params")
    return named
