"""Requests that read everything, for cases that change what the stores contain."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import quote

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from tests.engine.operations import VALUES, literal
from tests.fixtures.rows import ADMIN, TRADER
from tests.fixtures.server import bearer
from tests.fuzz.kinds.operations import SCHEMA
from tests.fuzz.world import World, complaints

DEPTH: Final = 3
LEFT_OUT: Final = {"edges", "pageInfo", "_service", "_entities"}

PATH_VALUES: Final = {
    "exchange": "kraken", "symbol": "BTC/USD", "timeframe": "1m", "bot_id": "1", "order_id": "1", "trade_id": "1",
    "user_id": "2", "uid": "2", "ex_id": "20", "str_id": "1", "cat_ex_id": "1", "symbol_id": "1", "cat_str_id": "1",
}  # fmt: skip
"""A value of the small platform for each parameter of a path; `1` for others."""


@cache
def documents() -> Mapping[str, str]:
    """By root field: an operation that selects every field below it."""
    assert SCHEMA.query_type is not None
    roots = {name: field for name, field in SCHEMA.query_type.fields.items() if name not in LEFT_OUT}
    return {name: f"{{ {_field(name, field, DEPTH)} }}" for name, field in roots.items()}


def _field(name: str, field: GraphQLField, depth: int) -> str:
    given = {argument: literal(VALUES[argument][0] if argument in VALUES else "TICKER", definition.type)
             for argument, definition in field.args.items() if is_required_argument(definition)}  # fmt: skip
    if "timeframe" in given:
        given |= {"timeframe": "M1", "last": "20"}
    if "first" in field.args:
        given["first"] = "30"
    arguments = f"({', '.join(f'{one}: {value}' for one, value in given.items())})" if given else ""
    return f"{name}{arguments}{_selection(field, depth)}"


def _selection(field: GraphQLField, depth: int) -> str:
    type_ = get_named_type(field.type)
    if is_leaf_type(type_):
        return ""
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return " { __typename }"
    inner = {name: one for name, one in type_.fields.items() if name not in LEFT_OUT}
    chosen = [
        _field(name, one, depth - (name != "nodes"))
        for name, one in inner.items()
        if is_leaf_type(get_named_type(one.type))
        or (depth > 1 and not any(map(is_required_argument, one.args.values())))
    ]
    return f" {{ {' '.join(chosen or ['__typename'])} }}"


def rest_paths(world: World) -> list[str]:
    """Every path that answers GET, with values of the small platform."""
    return [_filled(path) for path, methods in world.openapi.items() if "get" in methods]


def _filled(path: str) -> str:
    for part in path.split("{")[1:]:
        name = part.split("}")[0]
        path = path.replace(f"{{{name}}}", quote(PATH_VALUES.get(name.split(":")[0], "1"), safe="/"))
    return path


async def reading_complaints(world: World, roots: list[str], paths: list[str]) -> list[str]:
    """Violations in the answers to these operations and paths, for the trader and an administrator."""
    known, found = documents(), []
    for uid in (TRADER, ADMIN):
        for root in dict.fromkeys(roots):
            found += [f"{root}: {wrong}" for wrong in await world.ask(known[root], uid)]
        for path in dict.fromkeys(paths):
            response = await world.http.get(path, headers=bearer(world.tokens[uid]))
            found += [f"{path}: {wrong}" for wrong in complaints(response)]
    return found
