"""The variables of an operation as JSON Schema (draft 2020-12), for the input of a tool."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from graphql import (
    ArgumentNode,
    FragmentDefinitionNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_required_input_field,
    type_from_ast,
    value_from_ast_untyped,
    visit,
)
from graphql.utilities import get_default_value_ast

_SCALARS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "ID": {"type": "string"},
    "DateTime": {"type": "string", "format": "date-time"},
    "UUID": {"type": "string", "format": "uuid"},
}
"""A scalar that is not listed is any JSON value."""


def input_schema(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Sequence[FragmentDefinitionNode],
    hidden: Collection[str],
) -> dict[str, Any]:
    """The JSON Schema of the operation's variables, without those that are `hidden`.

    A variable has the description of the argument or input field that it is the value of.
    """
    schemas = _Schemas()
    descriptions = _descriptions(schema, operation, fragments)
    properties: dict[str, Any] = {}
    required = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        type_: Any = type_from_ast(schema, definition.type)
        if name in hidden:
            continue
        properties[name] = schemas.of_type(type_) | _described(descriptions.get(name))
        if definition.default_value:
            properties[name]["default"] = value_from_ast_untyped(definition.default_value)
        elif isinstance(type_, GraphQLNonNull):
            required.append(name)
    return _object(properties, required) | ({"$defs": schemas.definitions} if schemas.definitions else {})


class _Schemas:
    """The schemas of types; named types are definitions, because input objects may contain themselves."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of_type(self, type_: GraphQLInputType) -> dict[str, Any]:
        if isinstance(type_, GraphQLNonNull):
            return self._not_null(type_.of_type)
        return {"anyOf": [self._not_null(type_), {"type": "null"}]}

    def _not_null(self, type_: Any) -> dict[str, Any]:
        match type_:
            case GraphQLList():
                return {"type": "array", "items": self.of_type(type_.of_type)}
            case GraphQLScalarType():
                return dict(_SCALARS.get(type_.name, {}))
            case GraphQLEnumType():
                return self._reference(type_.name, lambda: _enum(type_))
            case _:
                return self._reference(type_.name, lambda: self._input_object(type_))

    def _reference(self, name: str, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self.definitions:
            self.definitions[name] = {}  # known before its fields are built, which may refer to it
            self.definitions[name] = build()
        return {"$ref": f"#/$defs/{name}"}

    def _input_object(self, type_: GraphQLInputObjectType) -> dict[str, Any]:
        properties = {
            name: self.of_type(field.type) | _described(field.description) | _default(field)
            for name, field in type_.fields.items()
        }
        required = [name for name, field in type_.fields.items() if is_required_input_field(field)]
        one_of = {"minProperties": 1, "maxProperties": 1} if type_.is_one_of else {}
        return _object(properties, required) | _described(type_.description) | one_of


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return whole | ({"required": required} if required else {})


def _enum(type_: GraphQLEnumType) -> dict[str, Any]:
    lines = [type_.description or ""]
    lines += [f"{name}: {value.description}" for name, value in type_.values.items() if value.description]
    return {"type": "string", "enum": list(type_.values)} | _described("\n".join(filter(None, lines)))


def _described(text: str | None) -> dict[str, Any]:
    return {"description": text} if text else {}


def _default(field: GraphQLInputField) -> dict[str, Any]:
    node = get_default_value_ast(field)
    return {"default": value_from_ast_untyped(node)} if node else {}


def _descriptions(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Sequence[FragmentDefinitionNode]
) -> dict[str, str]:
    """The descriptions of variables, by name."""
    found: dict[str, str] = {}
    types = TypeInfo(schema)

    def describe(value: ValueNode, place: GraphQLArgument | GraphQLInputField | None) -> None:
        if isinstance(value, VariableNode) and place and place.description:
            found.setdefault(value.name.value, place.description)

    class Places(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
            describe(node.value, types.get_argument())

        def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
            owner = get_named_type(types.get_parent_input_type())
            if isinstance(owner, GraphQLInputObjectType):
                describe(node.value, owner.fields.get(node.name.value))

    for definition in (operation, *fragments):
        visit(definition, TypeInfoVisitor(types, Places()))
    return found
