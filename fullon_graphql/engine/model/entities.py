"""Entities: GraphQL types whose rows live in one PostgreSQL table.

An entity names its model; the model has the key of a row, `services/access.py` the access rule. Relations, connections,
`node` and `_entities` select rows through it, so no path bypasses the access rule.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, dataclass_transform

import strawberry
from sqlalchemy import ColumnElement, Select
from sqlalchemy import inspect as inspect_model
from sqlalchemy.orm import InstrumentedAttribute
from strawberry.utils.str_converters import to_camel_case

from fullon_graphql.auth.principal import Caller
from fullon_graphql.engine.model.columns import COLUMN, Column, is_indexed
from fullon_graphql.models import Base
from fullon_graphql.services.access import visible

T = TypeVar("T", bound=type)
Key = tuple[Any, ...]
"""The values that identify one row, or that a relation is joined by."""


@dataclass(frozen=True, eq=False)
class Entity:
    """One declared entity. `graph_type` is the class of its objects: one per row, with fields by column name."""

    name: str
    graph_type: type[Any]
    table: type[Any]
    key: tuple[InstrumentedAttribute[Any], ...]

    @cached_property
    def columns(self) -> Mapping[str, ColumnElement[Any]]:
        """The SQL expression of every declared column, by Python field name."""
        return {name: column.expression(self.table, name) for name, column in self._declared.items()}

    @cached_property
    def searchable(self) -> tuple[str, ...]:
        """The Python names of the columns that lists can be filtered and ordered by."""
        return tuple(name for name, column in self._declared.items() if column.filterable or self._is_quick(name))

    @cached_property
    def graphql_names(self) -> Mapping[str, str]:
        """The Python name of each column by its GraphQL name."""
        return {to_camel_case(name): name for name in self.columns}

    @cached_property
    def _declared(self) -> Mapping[str, Column]:
        fields = self.graph_type.__strawberry_definition__.fields
        return {field.python_name: field.metadata[COLUMN] for field in fields if COLUMN in field.metadata}

    def _is_quick(self, name: str) -> bool:
        return name in self.key_names or is_indexed(self.columns[name])

    @cached_property
    def key_names(self) -> tuple[str, ...]:
        """The Python field names of the key columns."""
        names: dict[Any, str] = {expression: name for name, expression in self.columns.items()}
        return tuple(names[attribute] for attribute in self.key)

    def visible(self, caller: Caller, *, mostly_own: bool = False) -> Select[Any]:
        """The rows that `caller` may read. Raises as `services.access.visible` does."""
        return visible(self.table, caller, mostly_own=mostly_own)

    def rows(self, caller: Caller, *, mostly_own: bool = False) -> Select[Any]:
        """The rows that `caller` may read, as this entity's columns. Raises as `services.access.visible` does."""
        labelled = [expression.label(name) for name, expression in self.columns.items()]
        return self.visible(caller, mostly_own=mostly_own).with_only_columns(*labelled)

    def build(self, row: Mapping[str, Any]) -> Any:
        """The GraphQL object of one row of `rows` by column name; further columns are ignored."""
        return self.graph_type(**{name: row[name] for name in self.columns})

    def key_of(self, instance: object) -> Key:
        """The key of one built object."""
        return tuple(getattr(instance, name) for name in self.key_names)


_entities: dict[str, Entity] = {}


@dataclass_transform(kw_only_default=True)
def entity(
    table: type[Base],
) -> Callable[[T], T]:
    """Class decorator: a federated GraphQL type over `table`, described by the class's docstring."""

    def declare(cls: T) -> T:
        graph_type = strawberry.federation.type(keys=["id"], description=inspect.getdoc(cls))(cls)
        mapper = inspect_model(table)
        key = tuple(mapper.get_property_by_column(column).class_attribute for column in mapper.primary_key)
        _entities[cls.__name__] = Entity(cls.__name__, graph_type, table, key)
        return graph_type

    return declare


def entities() -> Iterable[Entity]:
    """All declared entities whose modules have been imported."""
    return _entities.values()


def entity_named(name: str) -> Entity | None:
    """The entity with this GraphQL type name, or None."""
    return _entities.get(name)


def required_entity(name: str) -> Entity:
    """The entity behind a GraphQL type name.

    Raises:
        LookupError: there is none; usually its module is not imported by `graph.py`.
    """
    found = entity_named(name)
    if found is None:
        raise LookupError(f"No entity is called {name!r}; is its module imported by graph.py?")
    return found


def entity_of(type_: type[Any]) -> Entity:
    """The entity that a class declares."""
    return _entities[type_.__name__]
