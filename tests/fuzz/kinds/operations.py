"""Operations over HTTP: drawn from the schema, with hostile values and damaged text."""

from __future__ import annotations

import json
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_leaf_type,
)
from hypothesis import strategies as st

from fullon_graphql.graph import make_graph
from tests.engine.operations import IDS, Operation, literal, operations
from tests.fixtures.rows import ADMIN, TRADER
from tests.fuzz.harness import Kind
from tests.fuzz.hostile import mutated, scalars, values
from tests.fuzz.world import World

SCHEMA: Final = make_graph().core
LEFT_OUT: Final = {"logout", "endSession", "endOtherSessions", "startService", "stopService", "restartService"}
"""Mutations that end the session of the cases, or wait for services that do not run."""

Case = tuple[int, str, Any]
"""Caller, document and variables."""


def cases(_world: World) -> st.SearchStrategy[Case]:
    drawn = operations(SCHEMA)
    callers = st.sampled_from((TRADER, TRADER, ADMIN))
    return st.one_of(
        st.builds(lambda uid, one: (uid, one.text, one.variables), callers, drawn),
        st.tuples(callers, mutated(drawn.map(lambda one: one.text)), values),
        st.builds(_with_variables, callers, drawn, st.lists(values, max_size=8)),
        st.builds(lambda uid, one: (uid, one.text, one.variables), callers, mutations()),
        st.builds(lambda uid, text: (uid, text, None), callers, bombs()),
    )


async def play(world: World, case: Case) -> list[str]:
    uid, document, variables = case
    return await world.ask(document, uid, variables)


def _with_variables(uid: int, drawn: Operation, hostile: list[Any]) -> Case:
    return uid, drawn.text, drawn.variables | dict(zip(drawn.variables, hostile, strict=False))


@st.composite
def mutations(draw: Any) -> Operation:
    """A mutation as a dry run, with hostile values for the fields of its input."""
    assert SCHEMA.mutation_type is not None
    fields = {name: field for name, field in SCHEMA.mutation_type.fields.items() if name not in LEFT_OUT}
    name = draw(st.sampled_from(sorted(fields)))
    field, variables, declared = fields[name], {}, []
    for argument, definition in field.args.items():
        if argument == "dryRun":
            variables[argument] = True
        elif isinstance(definition.type, GraphQLNonNull) or draw(st.booleans()):
            variables[argument] = draw(inputs(definition.type))
        else:
            continue
        declared.append(f"${argument}: {definition.type}")
    given = ", ".join(f"{argument}: ${argument}" for argument in variables)
    selection = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return Operation(
        f"mutation{f'({chr(32).join(declared)})' if declared else ''} {{ {name}{f'({given})' if given else ''}{selection} }}",
        variables,
    )


def inputs(type_: GraphQLInputType, depth: int = 2) -> st.SearchStrategy[Any]:
    """Values of an input type, most of which coerce. Filters contain filters; `depth` limits optional objects."""
    match type_:
        case GraphQLNonNull():
            return inputs(type_.of_type, depth)
        case GraphQLList():
            return st.lists(inputs(type_.of_type, depth), max_size=3)
        case GraphQLInputObjectType():
            fields = {name: field.type for name, field in type_.fields.items()}
            required = {name: inputs(one, depth) for name, one in fields.items() if isinstance(one, GraphQLNonNull)}
            optional = {
                name: inputs(one, depth - 1)
                for name, one in fields.items()
                if name not in required and (depth > 0 or not isinstance(get_named_type(one), GraphQLInputObjectType))
            }
            return st.fixed_dictionaries(required, optional=optional)
        case GraphQLEnumType():
            return st.sampled_from(sorted(type_.values))
        case _:
            return _SCALARS.get(type_.name, scalars) | scalars


_SCALARS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "Int": st.sampled_from((1, 2, 3, 20, 21, 61, 2**31 - 1, -1)),
    "Float": st.floats(0, 1e15),
    "String": st.text(max_size=20) | st.sampled_from(("kraken", "BTC/USD", "buy", "limit", "open", "user3@fullon")),
    "Boolean": st.booleans(),
    "ID": st.sampled_from(IDS),
    "DateTime": st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
}


@st.composite
def bombs(draw: Any) -> str:
    """A small or repetitive document whose work could grow faster than its text."""
    size: int = draw(st.sampled_from((1, 30, 300, 3_000)))
    match draw(st.integers(0, 7)):
        case 0:
            return "{ me " * size + "}" * size
        case 1:
            return "{ me { " + "bots { nodes { user { " * size + "uid" + " } } }" * size + " } }"
        case 2:
            spread = "".join(f"fragment F{n} on User {{ ...F{n + 1} ...F{n + 1} }} " for n in range(min(size, 300)))
            return "{ me { ...F0 } } " + spread + f"fragment F{min(size, 300)} on User {{ uid }}"
        case 3:
            return "{ me { uid " + "@include(if: true) " * size + "} }"
        case 4:
            return "{ " + " ".join(f"a{n}: me {{ uid }}" for n in range(size)) + " }"
        case 5:
            nested: Any = {"uid": {"eq": 1}}
            for _ in range(min(size, 300)):
                nested = {"not": nested}
            return f"{{ users(filter: {literal(nested, SCHEMA.type_map['UserFilter'])}) {{ totalCount }} }}"  # type: ignore[arg-type]  # an input type
        case 6:
            return f"{{ users(filter: {{uid: {{in: {json.dumps(list(range(size)))}}}}}) {{ totalCount }} }}"
        case _:
            ending: str = draw(st.sampled_from(("#" + "x" * 100_000, "," * 100_000, '"""' + '\\"""' * size)))
            return "{ me { uid } }" + ending


KIND: Final = Kind("operations", cases, play)
