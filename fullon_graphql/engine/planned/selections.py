"""Selections: an operation as a tree of response keys, with fragments and directives resolved.

First stage of planning. The tree depends on the variables in `@include` and `@skip`; one is built for each combination
of their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_object_type,
    visit,
)
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from fullon_graphql.engine.planned import arguments
from fullon_graphql.engine.planned.arguments import Arguments, Variables
from fullon_graphql.engine.planned.fallback import Fallback

TYPENAME = "__typename"


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """One response key: a field, its arguments, and the selections below it. It does not refer to the syntax tree."""

    key: str
    name: str
    parent: GraphQLObjectType
    field: GraphQLField | None
    """None for `__typename`."""
    given: Arguments | Fallback
    """The arguments, or why they cannot be used in a plan."""
    children: tuple[Selection, ...]
    possible: Mapping[str, tuple[Selection, ...]]
    """The selections of each possible type of an interface or union; empty for other types."""

    @property
    def type(self) -> GraphQLOutputType:
        """The type of its value, with its wrappers."""
        assert self.field is not None, "only __typename has no field"
        return self.field.type

    @property
    def is_single(self) -> bool:
        """False if its value is a list."""
        return not is_list_type(get_nullable_type(self.type))

    @property
    def declared(self) -> StrawberryField:
        """The declaration of the field in our schema package."""
        assert self.field is not None, "only __typename has no field"
        return _declared(self.parent, self.name, self.field)

    @property
    def variables(self) -> Mapping[str, str]:
        """The GraphQL names of the arguments whose whole value is a variable, with the variable."""
        return {} if isinstance(self.given, Fallback) else self.given.variables

    @property
    def argument_names(self) -> frozenset[str]:
        """The Python names of the arguments that the document or a default gives."""
        return frozenset() if isinstance(self.given, Fallback) else self.given.names

    def arguments(self, variables: Variables) -> Mapping[str, Any]:
        """The field's coerced arguments by Python name, without those that are not given.

        Raises:
            Fallback: an argument is missing or invalid.
        """
        if isinstance(self.given, Fallback):
            raise Fallback(str(self.given), self.given.kind)
        return self.given.values(variables)


def select(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    conditions: Mapping[str, bool],
) -> tuple[Selection, ...]:
    """The selections of an operation; `conditions` are the values of the variables in `@include` and `@skip`."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        raise Fallback(f"there is no {operation.operation.value} in this schema")
    return _Selecting(schema, fragments, conditions).below(root, [operation.selection_set])


def condition_variables(
    operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]
) -> tuple[str, ...]:
    """The names of the variables in the document's directives, sorted."""
    finder = _ConditionFinder()
    visit(operation, finder)
    for fragment in fragments:
        visit(fragment, finder)
    return tuple(sorted(finder.names))


def size(selection: Selection) -> int:
    """The number of selections in a tree."""
    below = (selection.children, *selection.possible.values())
    return 1 + sum(size(child) for children in below for child in children)


@dataclass(frozen=True)
class _Selecting:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    conditions: Mapping[str, bool]

    def below(self, parent: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> tuple[Selection, ...]:
        """The selections of one object type, with fields of the same response key merged."""
        merged: dict[str, list[FieldNode]] = {}
        for selection_set in sets:
            for node in self._fields(parent, selection_set):
                merged.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return tuple(self._selection(parent, key, nodes) for key, nodes in merged.items())

    def _selection(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Selection:
        name = nodes[0].name.value
        if name == TYPENAME:
            return Selection(key, name, parent, None, arguments.NONE, (), {})
        field = parent.fields.get(name)
        if field is None:
            raise Fallback(f"{parent.name}.{name} belongs to introspection")
        sets = [node.selection_set for node in nodes if node.selection_set]
        type_ = get_named_type(field.type)
        children = self.below(type_, sets) if isinstance(type_, GraphQLObjectType) else ()
        several = self.schema.get_possible_types(type_) if is_abstract_type(type_) else ()
        possible = {one.name: self.below(one, sets) for one in several}
        return Selection(key, name, parent, field, _arguments(parent, field, nodes[0]), children, possible)

    def _fields(self, parent: GraphQLObjectType, selection_set: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selection_set.selections:
            if not all(map(self._holds, node.directives or ())):
                continue
            match node:
                case FieldNode():
                    yield node
                case FragmentSpreadNode():
                    fragment = self.fragments[node.name.value]
                    if self._applies(fragment.type_condition.name.value, parent):
                        yield from self._fields(parent, fragment.selection_set)
                case InlineFragmentNode():
                    if node.type_condition is None or self._applies(node.type_condition.name.value, parent):
                        yield from self._fields(parent, node.selection_set)

    def _applies(self, condition: str, parent: GraphQLObjectType) -> bool:
        if condition == parent.name:
            return True
        type_ = self.schema.type_map[condition]
        return not is_object_type(type_) and self.schema.is_sub_type(type_, parent)  # type: ignore[arg-type]  # validated

    def _holds(self, directive: DirectiveNode) -> bool:
        if directive.name.value not in {"include", "skip"}:
            raise Fallback(f"directive @{directive.name.value}")
        assert directive.arguments, "validated: both have one"
        value = directive.arguments[0].value
        if isinstance(value, VariableNode):
            condition = self.conditions[value.name.value]
        else:
            assert isinstance(value, BooleanValueNode), "validated as Boolean!"
            condition = value.value
        return condition is (directive.name.value == "include")


def _declared(parent: GraphQLObjectType, name: str, field: GraphQLField) -> StrawberryField:
    declared = field.extensions.get("strawberry-definition")
    if not isinstance(declared, StrawberryField):
        raise Fallback(f"{parent.name}.{name} is not declared in the schema package")
    return declared


def _arguments(parent: GraphQLObjectType, field: GraphQLField, node: FieldNode) -> Arguments | Fallback:
    if not field.args:
        return arguments.NONE
    try:
        declared = _declared(parent, node.name.value, field).arguments
        names = {one.graphql_name or to_camel_case(one.python_name): one.python_name for one in declared}
        return arguments.compiled(field, node, names)
    except Fallback as fallback:
        return fallback.with_traceback(None)


class _ConditionFinder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        values = (argument.value for argument in node.arguments or ())
        self.names.update(value.name.value for value in values if isinstance(value, VariableNode))
