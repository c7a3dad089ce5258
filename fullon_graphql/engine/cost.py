"""Cost: an estimate of the work of an operation, made before it is executed.

An object costs `OBJECT`, a value in a bar of candles 1, any other value nothing. A list multiplies the cost of
its selections by its size: the page size of a connection, the bars of a range, the length of an argument, or an
assumed size.
Fields and types declare other weights and sizes with the directives `@cost` and `@listSize`.

The estimate is compiled once per operation of a document. Only page sizes and conditions in variables remain open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)
from strawberry import UNSET
from strawberry.federation.schema_directives import Cost, ListSize
from strawberry.utils.str_converters import to_snake_case

from fullon_graphql.engine.planned.arguments import Variables, compiled
from fullon_graphql.engine.planned.fallback import Fallback

OBJECT: Final = 10
"""The cost of an object: a row, a ticker, a balance."""
ASSUMED_SIZE: Final = 10
"""The size of a list that declares none."""
SIZE: Final = "size"
"""Metadata key of a function that estimates a field's list size from its coerced arguments, by Python name."""


def list_size(assumed: int, slicing: list[str] | None = None, fields: list[str] | None = None) -> ListSize:
    """The directive of a list with `assumed` entries unless one of the arguments `slicing` is given.

    With `fields`, these fields of the object have that size.
    """
    # UNSET is left out of the SDL; composers refuse null.
    return ListSize(
        assumed_size=assumed,
        slicing_arguments=slicing or UNSET,
        sized_fields=fields or UNSET,
        require_one_slicing_argument=False,
    )


OpenSize: TypeAlias = Callable[[Variables], int]
Size: TypeAlias = int | OpenSize
"""A factor that is known, or that depends on variables."""


@dataclass(eq=False, slots=True)
class Estimate:
    """A cost with open factors: `base`, plus each of `numbers` and of `parts` times its size."""

    base: int = 0
    numbers: dict[OpenSize, int] = field(default_factory=dict)
    parts: list[tuple[Size, Estimate]] = field(default_factory=list)

    def add(self, size: Size, part: Estimate) -> None:
        """Add `part`, `size` times."""
        if isinstance(size, int) and not part.parts:
            self.base += size * part.base
            for open_size, number in part.numbers.items():
                self.numbers[open_size] = self.numbers.get(open_size, 0) + size * number
        elif not isinstance(size, int) and part.is_known:
            self.numbers[size] = self.numbers.get(size, 0) + part.base
        else:
            self.parts.append((size, part))

    @property
    def is_known(self) -> bool:
        """True if no factor is open."""
        return not self.numbers and not self.parts

    def total(self, variables: Variables) -> int:
        """The cost for these variables."""
        return self._total(variables, {}) if self.numbers or self.parts else self.base

    @property
    def size(self) -> int:
        """Its approximate memory in bytes."""
        return 200 + 400 * len(self.numbers) + sum(400 + part.size for _, part in self.parts)

    def _total(self, variables: Variables, known: dict[int, int]) -> int:
        found = known.get(id(self))
        if found is None:
            found = self.base
            for open_size, number in self.numbers.items():
                found += open_size(variables) * number
            for size, part in self.parts:
                factor = size if isinstance(size, int) else size(variables)
                found += factor * part._total(variables, known) if factor else 0
            known[id(self)] = found
        return found


def estimated(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Estimate:
    """The cost of a valid operation."""
    root = schema.get_root_type(operation.operation)
    assert root is not None, "validated"
    return _Estimating(schema, fragments).below(root, operation.selection_set, _NO_SIZES)


Sizes: TypeAlias = Mapping[str, Size]
"""The sizes of the list fields of an object, if the field of the object determines them."""
_NO_SIZES: Final[Sizes] = {}


@dataclass
class _Estimating:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    known: dict[tuple[str, str, int], Estimate] = field(default_factory=dict)
    """Of fragments, by name, type and identity of the sizes, which `sizes` keeps alive."""
    sizes: list[Sizes] = field(default_factory=list)

    def below(self, parent: GraphQLObjectType, selections: SelectionSetNode, sizes: Sizes) -> Estimate:
        """The cost of the selections on one object."""
        total = Estimate()
        for node in selections.selections:
            part = self._part(parent, node, sizes)
            if part is not None:
                for directive in node.directives or ():
                    part = _conditional(directive, part)
                total.add(1, part)
        return total

    def _part(self, parent: GraphQLObjectType, node: Any, sizes: Sizes) -> Estimate | None:
        match node:
            case FieldNode():
                declared = parent.fields.get(node.name.value)
                return self._field(declared, node, sizes) if declared else None  # introspection reads no store
            case FragmentSpreadNode():
                fragment = self.fragments[node.name.value]
                key = (node.name.value, parent.name, id(sizes))
                if key not in self.known:
                    self.known[key] = self._applied(parent, fragment.type_condition, fragment.selection_set, sizes)
                return self.known[key]
            case InlineFragmentNode():
                return self._applied(parent, node.type_condition, node.selection_set, sizes)
            case _:
                return None

    def _applied(
        self, parent: GraphQLObjectType, condition: Any, selections: SelectionSetNode, sizes: Sizes
    ) -> Estimate:
        type_: Any = self.schema.type_map[condition.name.value] if condition else parent
        if type_ is parent or (is_abstract_type(type_) and self.schema.is_sub_type(type_, parent)):
            return self.below(parent, selections, sizes)
        return Estimate()

    def _field(self, declared: GraphQLField, node: FieldNode, sizes: Sizes) -> Estimate:
        type_: Any = get_named_type(declared.type)
        size = _list_size(declared, node)
        each = Estimate(weight(declared, type_))
        if node.selection_set:
            inner = _sized_fields(declared, size)
            self.sizes.append(inner)
            possible = [type_] if is_object_type(type_) else self.schema.get_possible_types(type_)
            below = [self.below(one, node.selection_set, inner) for one in possible]
            each.add(1, below[0] if len(below) == 1 else _largest(below))
        total = Estimate()
        is_list = is_list_type(get_nullable_type(declared.type))
        total.add(sizes.get(node.name.value, size) if is_list else 1, each)
        return total


def _largest(choices: list[Estimate]) -> Estimate:
    """The most expensive of several types that a value may have."""
    if all(choice.is_known for choice in choices):
        return Estimate(max(choice.base for choice in choices))
    found = Estimate()
    found.add(lambda variables: max(choice.total(variables) for choice in choices), Estimate(1))
    return found


def _conditional(directive: DirectiveNode, part: Estimate) -> Estimate:
    """The cost of a selection with `@include` or `@skip`."""
    if directive.name.value not in {"include", "skip"} or not directive.arguments:
        return part
    value, wanted, found = directive.arguments[0].value, directive.name.value == "include", Estimate()
    if isinstance(value, BooleanValueNode):
        found.add(int(value.value is wanted), part)
    elif isinstance(value, VariableNode):
        name = value.name.value
        found.add(lambda variables: int(bool(variables.get(name)) is wanted), part)
    return found


def weight(declared: GraphQLField, type_: Any) -> int:
    """The cost of each value of a field, whose named type is `type_`."""
    for directives in (_directives(declared), _directives(type_)):
        for directive in directives:
            if isinstance(directive, Cost):
                return directive.weight
    return 0 if is_leaf_type(type_) else OBJECT


def _list_size(declared: GraphQLField, node: FieldNode) -> Size:
    """The estimated number of entries of a list field, or of the lists of a connection."""
    definition = declared.extensions.get("strawberry-definition")
    custom = getattr(definition, "metadata", {}).get(SIZE)
    if custom is not None:
        return _custom_size(custom, declared, node)
    for directive in _directives(declared):
        if isinstance(directive, ListSize):
            default = directive.assumed_size or ASSUMED_SIZE
            return _sliced(node, directive.slicing_arguments or [], default)
    return ASSUMED_SIZE


def _custom_size(custom: Callable[[Mapping[str, Any]], int], declared: GraphQLField, node: FieldNode) -> Size:
    """The size by the field's own function; 0 with an invalid argument, with which nothing below is executed."""
    try:
        arguments = compiled(declared, node, {name: to_snake_case(name) for name in declared.args})
    except Fallback:
        return 0

    def size(variables: Variables) -> int:
        try:
            return custom(arguments.values(variables))
        except Fallback:
            return 0

    return size


def _sliced(node: FieldNode, names: list[str], default: int) -> Size:
    """The value of whichever of the arguments is given, else `default`."""
    given = [argument.value for argument in node.arguments or () if argument.name.value in names]
    if not given:
        return default
    constants = [max(0, int(value.value)) for value in given if isinstance(value, IntValueNode)]
    variable = [value.name.value for value in given if isinstance(value, VariableNode)]
    if not variable:
        return max(constants, default=default)

    def size(variables: Variables) -> int:
        values = [variables.get(name) for name in variable]
        return max([*constants, *(max(0, value) for value in values if isinstance(value, int))], default=default)

    return size


def _sized_fields(declared: GraphQLField, size: Size) -> Sizes:
    for directive in _directives(declared):
        if isinstance(directive, ListSize) and directive.sized_fields:
            return dict.fromkeys(directive.sized_fields, size)
    return _NO_SIZES


def _directives(definition: Any) -> list[object]:
    declared = definition.extensions.get("strawberry-definition")
    return list(getattr(declared, "directives", None) or ())


def length_of(name: str, default: int = ASSUMED_SIZE) -> Callable[[Mapping[str, Any]], int]:
    """A `SIZE` that is the length of the list argument called `name`, or `default` without it."""
    return lambda arguments: default if arguments.get(name) is None else len(arguments[name])
