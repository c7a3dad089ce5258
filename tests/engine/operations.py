"""Operations drawn from the schema: any field, any argument, with aliases, fragments, directives and variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_leaf_type,
    is_required_input_field,
)
from hypothesis import strategies as st

from fullon_graphql.engine.lists import opaque_ids

DEPTH = 5
CHANGING = {"ageMs", "sdl"}
"""Fields whose values change over time or are very long."""

CURSORS = [
    opaque_ids.encode("after", "Order", 7),
    opaque_ids.encode("after", "Bot", 2),
    opaque_ids.encode("after", "Symbol", 1),
    "garbage",
]
IDS = [
    opaque_ids.encode(name, key)
    for name in ("Bot", "Order", "User", "Symbol", "Exchange", "Trade", "Feed", "Strategy")
    for key in (1, 2, 20)
]
IDS += [opaque_ids.encode("StrategyParam", 1, "prompt"), opaque_ids.encode("CatExchangeParam", 1, "broker")]
IDS += [
    opaque_ids.encode("Bot", 6),
    opaque_ids.encode("Nothing", 1),
    opaque_ids.encode("Bot", "x"),
    opaque_ids.encode("Bot", 2**40),
    "garbage",
]

VALUES: dict[str, list[Any]] = {
    "days": [1, 30, 36500, 0],
    "currency": ["USD", "USD", "BTC", "none"],
    "capital": [1000.0, 0.0],
    "first": [0, 1, 1, 2, 2, 3, 3, 5, 5, 50, 1000, -1],
    "last": [1, 2, 3, 60, 0],
    "after": CURSORS,
    "before": CURSORS,
    "botId": [1, 1, 2, 2, 3, 6, 99],
    "orderId": [1, 2, 3, 7, 7, 41, 999],
    "uid": [2, 2, 2, 3, 99],
    "tradeId": [1, 1, 2, 9, 101, 999],
    "strId": [1, 1, 2, 3, 61, 99, 999],
    "catStrId": [1, 1, 2, 9],
    "feedId": [1, 1, 2, 3, 61, 99, 999],
    "num": [1, 1, 2, 61, 99],
    "exId": [20, 20, 21, 30, 99],
    "catExId": [1, 1, 2, 9],
    "component": ["ticker_daemon", "none"],
    "sinceMinutes": [1, 60, 0],
    "apiKeyId": [1, 1, 2, 31, 99],
    "ruleId": [1, 1, 31, 99],
    "webhookId": [1, 1, 31, 99],
    "exchange": ["kraken"] * 6 + ["bitmex", "bitmex", "nowhere", "k%"],
    "symbol": ["BTC/USD"] * 6 + ["BTC/USD:BTC", "GOLD", "none", ""],
    "symbols": [["BTC/USD", "GOLD"], [], ["none"]],
    "from": ["2026-01-01T00:00:00Z", "2026-01-01T00:07:30+01:00", "2026-01-01T00:00:00"],
    "to": ["2026-01-01T00:20:00Z", "2026-01-01T00:05:00Z", "2025-01-01T00:00:00Z"],
    "asOf": ["2026-01-01T00:10:00Z"],
    "fill": [True, False],
    "id": IDS,
    "ids": [IDS[:2], IDS[2:4], [], ["garbage", IDS[0]]],
}

OPERANDS: dict[str, list[Any]] = {
    "Int": [1, 2, 3, 7, 20, 41, -1, 2**31 - 1],
    "Float": [1.5, 100.0, 0.1, -1, 1e300],
    "String": ["open", "BTC/USD", "kraken", "bot 2", "b%", "%o%", "_OLD", "", "user2@fullon", "100\\\\%"],
    "Boolean": [True, False],
    "DateTime": ["2026-01-01T00:00:00Z", "2001-01-01T00:00:00.123456+01:00", "2099-01-01T00:00:00Z"],
}
"""Operands of filters, by scalar."""


@dataclass
class Operation:
    """An operation as text with its variables."""

    text: str
    variables: dict[str, Any]


@dataclass
class Drawing:
    """The state of drawing one operation."""

    schema: GraphQLSchema
    draw: Any
    declared: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)
    names: int = 0

    def some(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == 1)

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def operation(self) -> Operation:
        assert self.schema.query_type is not None
        roots = [name for name in self.schema.query_type.fields if name not in {"_service", "_entities"}]
        chosen = self.draw(st.lists(st.sampled_from(roots), min_size=1, max_size=2))
        fields = [self.field(self.schema.query_type, name, DEPTH) for name in chosen]
        declared = f"({', '.join(self.declared)})" if self.declared else ""
        text = f"{self.description()}query {declared} {{ {' '.join(fields)} }} {' '.join(self.fragments)}"
        return Operation(text, self.variables)

    def field(self, parent: GraphQLObjectType | GraphQLInterfaceType, name: str, depth: int) -> str:
        definition: GraphQLField = parent.fields[name]
        # Fields with one response key must have equal arguments; a unique alias avoids conflicts.
        alias = f"{self.name('a')}: " if definition.args or self.chance(4) else ""
        return f"{alias}{name}{self.arguments(definition)}{self.directive()}{self.below(definition, depth)}"

    def below(self, definition: GraphQLField, depth: int) -> str:
        type_ = get_named_type(definition.type)
        if isinstance(type_, GraphQLUnionType):
            return " { __typename }"
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            return ""
        return f" {{ {self.selection(type_, depth - 1)} }}"

    def selection(self, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        if self.chance(12):
            return str(self.some("", "... { }"))  # since the edition of September 2026
        leaves = [n for n, f in type_.fields.items() if is_leaf(f) and n not in CHANGING]
        branches = [n for n, f in type_.fields.items() if not is_leaf(f)] if depth > 0 else []
        chosen = self.draw(st.lists(st.sampled_from([*leaves, "__typename"]), min_size=1, max_size=4))
        if branches:
            chosen += self.draw(st.lists(st.sampled_from(branches), min_size=0 if leaves else 1, max_size=2))
        parts = [name if name == "__typename" else self.field(type_, name, depth) for name in chosen]
        if isinstance(type_, GraphQLInterfaceType):
            for possible in self.schema.get_possible_types(type_):
                if self.chance(3):
                    parts.append(f"... on {possible.name} {{ {self.selection(possible, depth - 1)} }}")
        return " ".join(self.wrapped(part, type_) for part in parts)

    def wrapped(self, part: str, type_: GraphQLObjectType | GraphQLInterfaceType) -> str:
        match self.draw(st.integers(0, 11)):
            case 0:
                return f"...{self.directive()} {{ {part} }}"
            case 1:
                return f"... on {type_.name} {{ {part} }}"
            case 2:
                name = self.name("F")
                self.fragments.append(f"{self.description()}fragment {name} on {type_.name} {{ {part} }}")
                return f"...{name}{self.directive()}"
            case 3:
                return f"{part} {part}"
        return part

    def description(self) -> str:
        """Executable definitions may have descriptions since the edition of September 2025."""
        return '"""Drawn."""' if self.chance(12) else ""

    def directive(self) -> str:
        if not self.chance(10):
            return ""
        kinds = self.some(["include"], ["skip"], ["include", "skip"], ["skip", "include"])
        return "".join(f" @{kind}(if: {self.condition()})" for kind in kinds)

    def condition(self) -> str:
        match self.draw(st.integers(0, 3)):
            case 0:
                return self.variable("Boolean!", self.some(True, False))
            case 1:
                return self.variable("Boolean!", self.some(True, False, Undefined), self.some("true", "false"))
            case 2:  # a default makes a nullable variable valid here, but it may be null nevertheless
                return self.variable("Boolean", self.some(True, False, Undefined, None), self.some("true", "false"))
        return str(self.some("true", "false"))

    def arguments(self, definition: GraphQLField) -> str:
        given = []
        for name, argument in definition.args.items():
            required = isinstance(argument.type, GraphQLNonNull)
            often = (
                3
                if name == "first"
                else 12
                if name in {"after", "before", "last"} and "first" in definition.args
                else 4
            )
            if required or self.chance(often):
                given.append(f"{name}: {self.value(name, argument, required)}")
        return f"({', '.join(given)})" if given else ""

    def value(self, name: str, argument: GraphQLArgument, required: bool) -> str:
        value = self.python_value(name, argument.type)
        if not required and self.chance(12):
            value = None
        if self.chance(3):
            return self.variable(str(argument.type), value)
        if self.chance(12):  # the variable has a default, which is used if it is not given
            return self.variable(str(argument.type), self.some(value, Undefined), literal(value, argument.type))
        return literal(value, argument.type, self.part)

    def part(self, value: Any, type_: GraphQLInputType, in_one_of: bool) -> str | None:
        """A variable in place of a part of a literal; None for most parts."""
        if not self.chance(8):
            return None
        # A nullable variable is no valid member of a oneOf input.
        required = in_one_of and not self.chance(4)
        return self.variable(f"{type_}!" if required else str(type_), value)

    def python_value(self, name: str, type_: GraphQLInputType) -> Any:
        named = get_named_type(type_)
        if isinstance(named, GraphQLInputObjectType):
            return self.operand(type_, 3)
        if isinstance(named, GraphQLEnumType):
            return self.some(*named.values)
        return self.some(*VALUES[name])

    def operand(self, type_: GraphQLInputType, depth: int) -> Any:
        """A value of an input type or of one of its fields; few of them are invalid."""
        if isinstance(type_, GraphQLNonNull):
            return self.operand(type_.of_type, depth)
        if isinstance(type_, GraphQLList):
            return [self.operand(type_.of_type, depth) for _ in range(self.some(1, 1, 2, 0))]
        if isinstance(type_, GraphQLInputObjectType):
            return self.input(type_, depth)
        return self.some(*(type_.values if isinstance(type_, GraphQLEnumType) else OPERANDS[type_.name]))

    def input(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        if type_.is_one_of:
            return self.choice(type_, depth)
        required = [name for name, field in type_.fields.items() if is_required_input_field(field)]
        possible = [name for name, field in type_.fields.items() if depth > 0 or is_leaf(field)]
        chosen = self.draw(st.lists(st.sampled_from(possible), max_size=2, unique=True)) if possible else []
        return {
            name: None if self.chance(40) else self.operand(type_.fields[name].type, depth - 1)
            for name in dict.fromkeys([*required, *chosen])
        }

    def choice(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        """A oneOf input: one member, and seldom none, two or a null."""
        possible = [name for name, field in type_.fields.items() if depth > 0 or is_leaf(field)]
        count = self.some(1, 1, 1, 1, 1, 1, 1, 0, 2)
        chosen = self.draw(st.lists(st.sampled_from(possible), min_size=count, max_size=count, unique=True))
        return {name: None if self.chance(12) else self.operand(type_.fields[name].type, depth - 1) for name in chosen}

    def variable(self, type_: str, value: Any, default: str | None = None) -> str:
        """A declared variable; it is not given if `value` is Undefined."""
        name = self.name("v")
        description = '"Drawn." ' if self.chance(12) else ""
        self.declared.append(f"{description}${name}: {type_}" + (f" = {default}" if default else ""))
        if value is not Undefined:
            self.variables[name] = value
        return f"${name}"


def is_leaf(definition: GraphQLField | GraphQLInputField) -> bool:
    return is_leaf_type(get_named_type(definition.type))


Part: TypeAlias = Callable[[Any, GraphQLInputType, bool], str | None]


def literal(value: Any, type_: GraphQLInputType, part: Part | None = None) -> str:
    """The value as a literal; `part` may replace a value inside it, and knows if that is a member of a oneOf input."""

    def inner(value: Any, type_: GraphQLInputType, in_one_of: bool) -> str:
        return (part and part(value, type_, in_one_of)) or literal(value, type_, part)

    if isinstance(type_, GraphQLNonNull):
        return literal(value, type_.of_type, part)
    if isinstance(type_, GraphQLList) and value is not None:
        return f"[{', '.join(inner(item, type_.of_type, False) for item in value)}]"
    if isinstance(type_, GraphQLInputObjectType) and value is not None:
        members = (f"{name}: {inner(one, type_.fields[name].type, type_.is_one_of)}" for name, one in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(get_named_type(type_), GraphQLEnumType) and value is not None:
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


def in_order(value: Any) -> Any:
    """JSON values in which the order of an object's keys is significant."""
    if isinstance(value, dict):
        return [(key, in_order(inner)) for key, inner in value.items()]
    return [in_order(inner) for inner in value] if isinstance(value, list) else value


def operations(schema: GraphQLSchema) -> st.SearchStrategy[Operation]:
    """Operations of `schema`, nearly all of them valid."""

    @st.composite
    def drawn(draw: Any) -> Operation:
        return Drawing(schema, draw).operation()

    return drawn()
