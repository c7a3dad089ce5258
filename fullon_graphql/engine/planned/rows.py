"""Parts: what each key of an entity's JSON object is made of.

Second stage of planning. It reads the declarations that the types carry (columns, relations, batches) and knows no
entity by name, so a new entity needs nothing here.
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
    """A column. `choices` are the names of an enum; `required` where the graph promises a value."""

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
    """A connection, of a relation or (without one) of everything visible."""

    relation: Relation | None
    entity: Entity
    site: Selection
    keys: tuple[tuple[str, PagedPart], ...]


@dataclass(frozen=True, eq=False)
class PagedPart:
    """A key of a connection: `name` is the field; edges and nodes have a row, edges and pageInfo keys of their own."""

    name: str
    row: Row | None = None
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Placeholder:
    """A value from elsewhere, to be filled in by `batch` once the rows are there."""

    batch: Batch
    site: Selection


Part = TypeName | Id | Value | One | Many | Paged | Placeholder


@dataclass(frozen=True, eq=False)
class Row:
    """The JSON object of one row of an entity."""

    entity: Entity
    keys: tuple[tuple[str, Part], ...]


def row_of(entity: Entity, selections: tuple[Selection, ...]) -> Row:
    """The parts of what is selected of an entity.

    Raises:
        Unplanned: a field is neither a column, a relation nor a batch.
    """
    return Row(entity, tuple((selection.key, _part(entity, selection)) for selection in selections))


def paged_of(relation: Relation | None, entity: Entity, site: Selection) -> Paged:
    """The parts of a connection over `entity`."""
    return Paged(relation, entity, site, tuple((child.key, _paged_part(entity, child)) for child in site.children))


def _part(entity: Entity, selection: Selection) -> Part:
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
    if selection.node.name.value == "id":
        return Id()
    raise Fallback(f"{entity.name}.{selection.node.name.value} is resolved by a function of its own")


def _related(relation: Relation, selection: Selection, *, required: bool) -> Part:
    target = relation.target
    named = get_named_type(selection.type)
    if named.name != target.name:
        return paged_of(relation, target, selection)
    row = row_of(target, selection.children)
    type_ = selection.type.of_type if isinstance(selection.type, GraphQLNonNull) else selection.type
    return One(relation, row, required) if type_ is named else Many(relation, row)


def _paged_part(entity: Entity, selection: Selection) -> PagedPart:
    name = selection.node.name.value
    if name == "nodes":
        return PagedPart(name, row_of(entity, selection.children))
    if name == "edges":
        nodes = [child for child in selection.children if child.node.name.value == "node"]
        if len(nodes) > 1:
            raise Fallback("edges with several nodes")
        row = row_of(entity, nodes[0].children) if nodes else None
        return PagedPart(name, row, _names(selection))
    return PagedPart(name, None, _names(selection))


def _names(selection: Selection) -> tuple[tuple[str, str], ...]:
    return tuple((child.key, child.node.name.value) for child in selection.children)


def _choices(selection: Selection) -> frozenset[str] | None:
    type_: Any = get_named_type(selection.type)
    return frozenset(type_.values) if isinstance(type_, GraphQLEnumType) else None
