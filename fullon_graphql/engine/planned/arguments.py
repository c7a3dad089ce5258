"""Arguments: the arguments of a field, compiled from its syntax tree, so that a plan does not keep the tree.

Constants are coerced once; what depends on variables is read with each execution. The results equal those of
`graphql.execution.values.get_argument_values`; an invalid argument falls back to the reference, which reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_non_null_type,
)
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

from fullon_graphql.engine.planned.fallback import Fallback

Variables: TypeAlias = Mapping[str, Any]
"""The coerced variables of one execution, without those that were not given."""
Reader: TypeAlias = Callable[[Variables], Any]
"""Reads one value; Undefined if it is a variable that was not given."""


class _Slot(NamedTuple):
    """An argument or input field that depends on variables; `default` is Undefined if there is none."""

    name: str
    read: Reader
    default: Any
    required: bool


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one field by Python name: coerced constants, and those that depend on variables."""

    constants: Mapping[str, Any]
    slots: tuple[_Slot, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    """The GraphQL names of the arguments whose whole value is a variable, with the variable."""

    def values(self, variables: Variables) -> Mapping[str, Any]:
        """The coerced arguments, without those that are not given.

        Raises:
            Fallback: a value is missing or invalid.
        """
        return _filled(self.constants, self.slots, variables) if self.slots else self.constants

    @property
    def names(self) -> frozenset[str]:
        """The Python names of the arguments that the document or a default gives."""
        return frozenset((*self.constants, *(slot.name for slot in self.slots)))


NONE = Arguments({})


def compiled(declared: GraphQLField, node: FieldNode, python_names: Mapping[str, str]) -> Arguments:
    """The arguments of a field.

    Raises:
        Fallback: an argument is missing or invalid.
    """
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    constants, slots = _members({name: (one.type, one) for name, one in declared.args.items()}, given)
    return Arguments(
        {python_names[name]: value for name, value in constants.items()},
        tuple(slot._replace(name=python_names[slot.name]) for slot in slots),
        {name: value.name.value for name, value in given.items() if isinstance(value, VariableNode)},
    )


def _members(
    declared: Mapping[str, tuple[Any, Any]], given: Mapping[str, ValueNode]
) -> tuple[dict[str, Any], list[_Slot]]:
    """The constants and the slots of arguments or input fields, by GraphQL name."""
    constants: dict[str, Any] = {}
    slots: list[_Slot] = []
    for name, (type_, declaration) in declared.items():
        node = given.get(name)
        default = coerce_default_value(declaration)
        required = is_non_null_type(type_) and default is Undefined
        if node is not None and _varies(node):
            slots.append(_Slot(name, _reader(node, type_), default, required))
        elif node is not None:
            constants[name] = _constant(node, type_)
        elif default is not Undefined:
            constants[name] = default
        elif required:
            raise Fallback("a required argument is missing", "input")
    return constants, slots


def _filled(constants: Mapping[str, Any], slots: tuple[_Slot, ...], variables: Variables) -> dict[str, Any]:
    values = dict(constants)
    for name, read, default, required in slots:
        value = read(variables)
        if value is Undefined:
            if required:
                raise Fallback("a required value is missing", "input")
            value = default
        if value is not Undefined:
            values[name] = value
    return values


def _constant(node: ValueNode, type_: Any) -> Any:
    value = coerce_input_literal(node, type_)
    if value is Undefined:
        raise Fallback("an invalid argument", "input")
    return value


def _varies(node: ValueNode) -> bool:
    """True if the value contains a variable."""
    match node:
        case VariableNode():
            return True
        case ListValueNode():
            return any(map(_varies, node.values))
        case ObjectValueNode():
            return any(_varies(one.value) for one in node.fields)
    return False


def _reader(node: ValueNode, type_: Any) -> Reader:
    if isinstance(node, VariableNode):
        return _variable(node.name.value, required=is_non_null_type(type_))
    if not _varies(node):
        value = _constant(node, type_)
        return lambda _: value
    inner = get_nullable_type(type_)
    match inner:
        case GraphQLList():
            return _list(node, inner.of_type)
        case GraphQLInputObjectType(is_one_of=False) if isinstance(node, ObjectValueNode):
            return _object(node, inner)
    raise Fallback(f"a variable inside a literal of {inner}")


def _variable(name: str, *, required: bool) -> Reader:
    def read(variables: Variables) -> Any:
        value = variables.get(name, Undefined)
        if value is None and required:
            raise Fallback("null for a required value", "input")
        return value

    return read


def _list(node: ValueNode, item_type: Any) -> Reader:
    nodes = node.values if isinstance(node, ListValueNode) else (node,)
    readers = [_reader(one, item_type) for one in nodes]
    required = is_non_null_type(item_type)

    def read(variables: Variables) -> list[Any]:
        values = [one(variables) for one in readers]
        if required and Undefined in values:
            raise Fallback("a required value is missing", "input")
        return [None if value is Undefined else value for value in values]

    return read


def _object(node: ObjectValueNode, type_: GraphQLInputObjectType) -> Reader:
    given = {one.name.value: one.value for one in node.fields}
    constants, slots = _members({name: (one.type, one) for name, one in type_.fields.items()}, given)
    out_names = {name: one.out_name or name for name, one in type_.fields.items()}
    order = tuple(type_.fields)
    fixed = tuple(slots)

    def read(variables: Variables) -> Any:
        values = _filled(constants, fixed, variables)
        return type_.out_type({out_names[name]: values[name] for name in order if name in values})

    return read
