"""The input types of `filter` and `orderBy`, generated for every entity from its columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, NamedTuple

import strawberry
from strawberry.types.base import StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.lazy_type import LazyType
from strawberry.utils.str_converters import to_camel_case

from fullon_graphql.engine.lists.filters import MOST_VALUES
from fullon_graphql.engine.lists.ordering import SortDirection
from fullon_graphql.engine.model.entities import Entity, required_entity

_OPERATORS: Final[Mapping[str, str]] = {
    "eq": "Equal to this value; times are compared to the millisecond.",
    "ne": "Not equal to this value; includes rows without a value.",
    "in": f"Equal to one of these values, {MOST_VALUES} at most. An empty list matches no row.",
    "lt": "Less than this value.",
    "lte": "Less than or equal to this value.",
    "gt": "Greater than this value.",
    "gte": "Greater than or equal to this value.",
    "like": r"Matches this pattern, case-sensitive: `%` is any text, `_` one character, `\` escapes both.",
    "isNull": "True matches rows without a value, false rows with a value.",
}
_ORDERED: Final = ("eq", "ne", "in", "lt", "lte", "gt", "gte", "isNull")
_KINDS: Final[Mapping[Any, tuple[str, Iterable[str]]]] = {
    int: ("IntFilter", _ORDERED),
    float: ("FloatFilter", _ORDERED),
    str: ("StringFilter", _OPERATORS),
    bool: ("BooleanFilter", ("eq", "ne", "isNull")),
}

strawberry.enum(SortDirection, description="Direction of an order. Rows without a value are last in both directions.")
for _value, _description in zip(
    SortDirection.__strawberry_definition__.values,  # type: ignore[attr-defined]  # put there by the call above
    ("Ascending: smallest, oldest or alphabetically first.", "Descending: greatest, newest or alphabetically last."),
    strict=True,
):
    _value.description = _description


class _Field(NamedTuple):
    """The type and the description of an input field."""

    type: Any
    description: str


def searching(target: str) -> dict[str, Any]:
    """The annotations of the arguments `filter_` and `order_by` of a list of the entity called `target`."""
    return {
        "filter_": Annotated[
            _optional(_Generated(target, "filter")),
            strawberry.argument(name="filter", description="Return only rows that match this filter."),
        ],
        "order_by": Annotated[
            _optional(list[_Generated(target, "order")]),  # type: ignore[misc]  # a type that is made later
            strawberry.argument(
                description="Order of the list, most significant column first. The key is the default and the last"
                " tie-break."
            ),
        ],
    }


def filter_of(target: str) -> Any:
    """The type of a filter for rows of the entity called `target`."""
    return _Generated(target, "filter")


def columns_of(target: str) -> Any:
    """The type of an argument that lists columns of the entity called `target`; each value is a Python name."""
    return _optional(list[_Generated(target, "columns")])  # type: ignore[misc]  # a type that is made later


class _Generated(LazyType[Any, Any]):
    """An input of an entity, generated with the schema, when all entities are declared."""

    def resolve_type(self) -> type[Any]:
        """The input type; always the same object."""
        entity = required_entity(self.type_name)
        return {"filter": _filter_of, "order": _order_of, "columns": _columns_of}[self.module](entity)


@cache
def _filter_of(entity: Entity) -> type[Any]:
    itself = _Generated(entity.name, "filter")
    columns = {
        to_camel_case(name): _Field(_kind(type_), description)
        for name, (type_, description) in _searchable(entity).items()
    }
    return _input(
        f"{entity.name}Filter",
        f"Filter for rows of {entity.name}. All conditions must match.",
        {
            "and": _Field(list[itself], "All of these match."),  # type: ignore[valid-type]  # made when the schema is
            "or": _Field(list[itself], "At least one of these matches. An empty list matches no row."),  # type: ignore[valid-type]  # the same
            "not": _Field(itself, "This does not match."),
            **columns,
        },
    )


@cache
def _order_of(entity: Entity) -> type[Any]:
    field = _enum(entity, f"{entity.name}OrderField", f"Columns by which rows of {entity.name} can be ordered.")
    return _input(
        f"{entity.name}Order",
        f"A column by which rows of {entity.name} are ordered.",
        {"field": _Field(field, "The column."), "direction": _Field(SortDirection, "The direction.")},
        required={"field": ..., "direction": SortDirection.ASC},
    )


@cache
def _columns_of(entity: Entity) -> type[Any]:
    return _enum(entity, f"{entity.name}Column", f"Columns of {entity.name} whose changes can be streamed.")  # type: ignore[no-any-return]  # an enum is a class


def _enum(entity: Entity, name: str, description: str) -> Any:
    """The searchable columns as an enum, whose values are their Python names."""
    columns = _searchable(entity)
    field = Enum(name, {name.upper(): name for name in columns})  # type: ignore[misc]  # by columns
    strawberry.enum(field, description=description)
    for value, (_, meaning) in zip(
        field.__strawberry_definition__.values,  # type: ignore[attr-defined]  # put there by the call above
        columns.values(),
        strict=True,
    ):
        value.description = meaning
    return field


def _searchable(entity: Entity) -> dict[str, tuple[Any, str]]:
    """Type and description of the searchable columns for whose type there is a filter."""
    fields = {field.python_name: field for field in entity.graph_type.__strawberry_definition__.fields}
    found = {name: (_plain(fields[name].type), fields[name].description or "") for name in entity.searchable}
    return {name: column for name, column in found.items() if _has_kind(column[0])}


def _has_kind(type_: Any) -> bool:
    return type_ in _KINDS or _is_time(type_) or isinstance(type_, StrawberryEnumDefinition)


@cache
def _kind(type_: Any) -> type[Any]:
    """The input that compares a column of this type."""
    if isinstance(type_, StrawberryEnumDefinition):
        return _comparing(f"{type_.name}Filter", type_.wrapped_cls, ("eq", "ne", "in", "isNull"))
    if _is_time(type_):
        return _comparing(f"{type_.__name__}Filter", type_, _ORDERED)
    return _comparing(_KINDS[type_][0], type_, _KINDS[type_][1])


def _comparing(name: str, type_: Any, operators: Iterable[str]) -> type[Any]:
    types = {"in": list[type_], "isNull": bool}
    fields = {one: _Field(types.get(one, type_), _OPERATORS[one]) for one in operators}
    return _input(name, "Conditions for a value. All must match.", fields)


def _input(
    name: str, description: str, fields: Mapping[str, _Field], required: Mapping[str, Any] | None = None
) -> type[Any]:
    """An input that resolvers and plans receive as graphql-core coerced it: a mapping by GraphQL names."""
    defaults = required or {}
    body: dict[str, Any] = {
        "__annotations__": {
            f"{one}_": field.type if one in defaults else _optional(field.type) for one, field in fields.items()
        }
    }
    for one, field in fields.items():
        given = {"default": defaults[one]} if defaults.get(one, ...) is not ... else {}
        body[f"{one}_"] = strawberry.field(name=one, description=field.description, **given)
    made: Any = strawberry.input(type(name, (), body), name=name, description=description)
    made.__strawberry_definition__.from_input = _as_it_came
    return made  # type: ignore[no-any-return]  # it is the class that was put in


def _as_it_came(_type: type[Any], value: Mapping[str, Any], _context: object) -> Any:
    return value


def _optional(type_: Any) -> Any:
    return type_ | None


def _plain(type_: Any) -> Any:
    return type_.of_type if isinstance(type_, StrawberryOptional) else type_


def _is_time(type_: Any) -> bool:
    return getattr(type_, "__supertype__", None) is datetime
