"""Rows: the members of an entity's JSON object, read from the columns, relations and batches that its type declares.

Second stage of planning. It knows no entity by name, so a new entity needs no change here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import GraphQLEnumType, GraphQLNonNull, get_named_type, is_non_null_type

from fullon_graphql.engine.model.batches import BATCH, Batch
from fullon_graphql.engine.model.columns import COLUMN
from fullon_graphql.engine.model.entities import Entity
from fullon_graphql.engine.model.relations import RELATION, Relation
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.selections import Selection


@dataclass(frozen=True, eq=False)
class TypeName:
    """The name of the entity."""


@dataclass(frozen=True, eq=False)
class Id:
    """The entity's global id."""


@dataclass(frozen=True, eq=False)
class Value:
    """A column. `choices` are the names of an enum; `required` is True if the GraphQL field is non-null."""

    name: str
    required: bool
    choices: frozenset[str] | None


@dataclass(frozen=True, eq=False)
class One:
    """A relation to at most one row."""

    relation: Relation
    row: Row
    required: bool


@dataclass(frozen=True, eq=False)
class Many:
    """A relation to all its rows."""

    relation: Relation
    row: Row


@dataclass(frozen=True, eq=False)
class Paged:
    """A connection over the rows of a relation or, without one, over all visible rows."""

    relation: Relation | None
    entity: Entity
    site: Selection
    keys: tuple[tuple[str, ConnectionMember], ...]


@dataclass(frozen=True, eq=False)
class ConnectionMember:
    """A field of a connection: `edges` and `nodes` have a row; `edges` and `pageInfo` have keys of their own."""

    name: str
    row: Row | None = None
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Placeholder:
    """A value from another store, filled in by `batch` once the rows have been read."""

    batch: Batch
    site: Selection


Member = TypeName | Id | Value | One | Many | Paged | Placeholder


@dataclass(frozen=True, eq=False)
class Row:
    """The JSON object of one row of an entity."""

    entity: Entity
    keys: tuple[tuple[str, Member], ...]


def row_of(entity: Entity, selections: tuple[Selection, ...]) -> Row:
    """The JSON object of the selected fields of an entity.

    Raises:
        Fallback: a field is neither a column, a relation nor a batch.
    """
    return Row(entity, tuple((selection.key, _member(entity, selection)) for selection in selections))


def paged_of(relation: Relation | None, entity: Entity, site: Selection) -> Paged:
    """The JSON object of a connection over `entity`."""
    return Paged(
        relation, entity, site, tuple((child.key, _connection_member(entity, child)) for child in site.children)
    )


def _member(entity: Entity, selection: Selection) -> Member:
    if selection.field is None:
        return TypeName()
    metadata = selection.declared.metadata
    required = is_non_null_type(selection.type)
    if COLUMN in metadata:
        return Value(selection.declared.python_name, required, _choices(selection))
    if RELATION in metadata:
        return _related(metadata[RELATION], selection, required=required)
    if BATCH in metadata:
        return Placeholder(metadata[BATCH], selection)
    if selection.name == "id":
        return Id()
    raise Fallback(f"{entity.name}.{selection.name} has its own resolver function")


def _related(relation: Relation, selection: Selection, *, required: bool) -> Member:
    target = relation.target
    named = get_named_type(selection.type)
    if named.name != target.name:
        return paged_of(relation, target, selection)
    row = row_of(target, selection.children)
    type_ = selection.type.of_type if isinstance(selection.type, GraphQLNonNull) else selection.type
    return One(relation, row, required) if type_ is named else Many(relation, row)


def _connection_member(entity: Entity, selection: Selection) -> ConnectionMember:
    name = selection.name
    if name == "nodes":
        return ConnectionMember(name, row_of(entity, selection.children))
    if name == "edges":
        nodes = [child for child in selection.children if child.name == "node"]
        if len(nodes) > 1:
            raise Fallback("edges with several nodes")
        row = row_of(entity, nodes[0].children) if nodes else None
        return ConnectionMember(name, row, _names(selection))
    return ConnectionMember(name, None, _names(selection))


def _names(selection: Selection) -> tuple[tuple[str, str], ...]:
    return tuple((child.key, child.name) for child in selection.children)


def _choices(selection: Selection) -> frozenset[str] | None:
    type_: Any = get_named_type(selection.type)
    return frozenset(type_.values) if isinstance(type_, GraphQLEnumType) else None
