"""Subgraphs: the thirds of the graph that servers of their own answer behind a federated gateway.

A type without rows is declared to be `part_of` a subgraph; every other type is part of `orm`. A field of an entity or
of a root is answered by the subgraph of the type that it returns, so a new field needs no declaration. Entities are in
every subgraph that has a field of them, with `id` as their key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar, cast

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, GraphQLUnionType, OperationType, get_named_type
from graphql import is_object_type as is_object
from strawberry.federation.schema_directives import (
    Authenticated,
    FederationDirective,
    Key,
    Link,
    RequiresScopes,
)
from strawberry.federation.types import FieldSet, LinkImport

from fullon_graphql.auth.principal import sufficient_scopes
from fullon_graphql.config import Subgraph
from fullon_graphql.engine.fields.root import ALL, ONE, ROOT
from fullon_graphql.engine.model.batches import BATCH
from fullon_graphql.engine.model.entities import entity_named, entity_of
from fullon_graphql.engine.model.relations import RELATION
from fullon_graphql.services.access import CHANGES, PUBLIC_CHANGES, read_scope

T = TypeVar("T", bound=type)

FEDERATION: Final = "https://specs.apollo.dev/federation/v2.9"
REPRESENTATIONS: Final = "_entities"
_FEDERATED: Final = {REPRESENTATIONS, "_service"}
"""The fields of Query that every subgraph has."""
_ENTITY: Final = "_Entity"
_DEFINITION: Final = "strawberry-definition"


class Part(NamedTuple):
    """Where objects of a type are read, and the scope that this requires."""

    subgraph: Subgraph
    scope: str | None = None


_parts: dict[type, Part] = {}


def part_of(subgraph: Subgraph, scope: str | None = None) -> Any:
    """Class decorator: fields of entities and roots that return this type are answered by `subgraph`.

    They require `scope`, which gateways then check too. The outermost decorator of the class.
    """

    def declare(cls: T) -> T:
        _parts[cls] = Part(subgraph, scope)
        return cls

    return declare


def subgraph_of(field: GraphQLField) -> Subgraph:
    """The subgraph that answers a field of an entity or a root."""
    return _part(field).subgraph


def root_scope(kind: OperationType, name: str, field: GraphQLField) -> str | None:
    """The scope that a field of a root requires; None if that depends on more than its type."""
    return CHANGES.get(name) if kind is OperationType.MUTATION else _scope(field)


def restrict(schema: GraphQLSchema, subgraph: Subgraph) -> tuple[GraphQLSchema, Link]:
    """The schema of one subgraph, and the directive that links what its fields declare for gateways.

    The types of `schema` are changed, so it must not be used any more.
    """
    roots = {kind: root for kind in OperationType if (root := schema.get_root_type(kind))}
    for kind, root in roots.items():
        root.fields = {
            name: _guarded(field, _root_access(kind, name, field))
            for name, field in root.fields.items()
            if name in _FEDERATED or subgraph_of(field) is subgraph
        }
    for type_ in filter(is_object, schema.type_map.values()):
        if type_ not in roots.values() and not type_.name.startswith("_"):
            _restrict_type(type_, subgraph)
    entities = schema.type_map[_ENTITY]
    assert isinstance(entities, GraphQLUnionType), "Strawberry declares it"
    entities.types = tuple(type_ for type_ in entities.types if type_.fields.keys() != {"id"})
    query, mutation, subscription = (
        root if root and root.fields else None for root in map(schema.get_root_type, OperationType)
    )
    restricted = GraphQLSchema(query, mutation, subscription, directives=schema.directives)
    _mark_references(restricted, {type_.name for type_ in entities.types})
    return restricted, Link(url=FEDERATION, import_=cast("list[LinkImport | None]", sorted(_imports(restricted))))


def _restrict_type(type_: GraphQLObjectType, subgraph: Subgraph) -> None:
    is_entity = entity_named(type_.name) is not None
    type_.fields = {
        name: _guarded(field, _access(field))
        for name, field in type_.fields.items()
        if not is_entity or name == "id" or subgraph_of(field) is subgraph
    }


def _part(field: GraphQLField) -> Part:
    definition = get_named_type(field.type).extensions.get(_DEFINITION)
    return _parts.get(getattr(definition, "origin", None), Part(Subgraph.ORM))  # type: ignore[arg-type]  # None is no key


def _scope(field: GraphQLField) -> str | None:
    """The scope that reading what a field returns requires; None if it depends on more than its type."""
    metadata = _metadata(field)
    if RELATION in metadata:
        return read_scope(metadata[RELATION].target.table)
    if ONE in metadata:
        return read_scope(metadata[ONE].target.table)
    if ROOT in metadata or ALL in metadata:
        return read_scope(entity_of(metadata.get(ROOT) or metadata[ALL]).table)
    return _part(field).scope


def _root_access(kind: OperationType, name: str, field: GraphQLField) -> FederationDirective | None:
    if name in _FEDERATED or name in PUBLIC_CHANGES:
        return None
    scope = root_scope(kind, name, field)
    return _requires(scope) if scope else Authenticated()


def _access(field: GraphQLField) -> FederationDirective | None:
    """The requirement of a field below the roots. `AuthPayload.user`, for one, is readable without any credential."""
    metadata = _metadata(field)
    scope = _scope(field) if RELATION in metadata or BATCH in metadata else None
    return _requires(scope) if scope else None


def _requires(scope: str) -> RequiresScopes:
    return RequiresScopes(scopes=sufficient_scopes(scope))


def _metadata(field: GraphQLField) -> Mapping[Any, Any]:
    return getattr(field.extensions.get(_DEFINITION), "metadata", None) or {}


def _guarded(field: GraphQLField, access: FederationDirective | None) -> GraphQLField:
    """The field with a directive that is printed in this schema only."""
    definition = field.extensions.get(_DEFINITION)
    if access is not None and definition is not None:
        guarded = copy(definition)
        guarded.directives = [*definition.directives, access]
        field.extensions = {**field.extensions, _DEFINITION: guarded}
    return field


def _mark_references(schema: GraphQLSchema, own: set[str]) -> None:
    """Declare that entities without fields of their own are not found by key here."""
    for type_ in schema.type_map.values():
        if entity_named(type_.name) and type_.name not in own:
            definition = copy(type_.extensions[_DEFINITION])
            definition.directives = [Key(fields=FieldSet("id"), resolvable=False)]
            type_.extensions = {**type_.extensions, _DEFINITION: definition}


def _imports(schema: GraphQLSchema) -> Iterator[str]:
    fields = chain.from_iterable(type_.fields.values() for type_ in filter(is_object, schema.type_map.values()))
    definitions = (each.extensions.get(_DEFINITION) for each in chain(schema.type_map.values(), fields))
    directives = chain.from_iterable(getattr(definition, "directives", None) or () for definition in definitions)
    return iter({f"@{each.imported_from.name}" for each in directives if isinstance(each, FederationDirective)})
