"""Parameters: names and texts that hang on a row. A set of them is replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.errors import BadUserInput
from fullon_graphql.services.writing.checks import not_blank, storable
from fullon_graphql.services.writing.executor import UnitOfWork

MOST = 200


async def replace(
    write: UnitOfWork, table: type[Any], owner: InstrumentedAttribute[int], key: int, params: list[Mapping[str, str]]
) -> None:
    """Afterwards the row `owner` = `key` has exactly these `params`, each with a `name` and a `value`.

    Raises:
        BadUserInput: a name is blank or comes twice, or one of them cannot be stored.
    """
    wanted = _by_name(table, params)
    there = {row.name: row for row in await write.connection.execute(select(table).where(owner == key))}
    for name in sorted(there.keys() - wanted.keys()):
        await write.delete(table, there[name])
    for name, value in sorted(wanted.items()):
        if name not in there:
            await write.insert(table, {owner.key: key, "name": name, "value": value})
        elif there[name].value != value:
            await write.update(table, there[name], {"value": value})


def _by_name(table: type[Any], params: list[Mapping[str, str]]) -> dict[str, str]:
    if len(params) > MOST:
        raise BadUserInput(f"`params` has {len(params)} entries; it takes at most {MOST}.", field="params")
    for param in params:
        not_blank(storable(table, param), "name")
    named = {param["name"]: param["value"] for param in params}
    if len(named) < len(params):
        raise BadUserInput("`params` names one of them twice.", field="params")
    return named
