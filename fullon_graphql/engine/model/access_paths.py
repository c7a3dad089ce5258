"""Access paths: the columns by which lists below a parent are read, as the relations declare them."""

from __future__ import annotations

from collections.abc import Iterator

from strawberry.utils.str_converters import to_camel_case

from fullon_graphql.engine.model.columns import comparable
from fullon_graphql.engine.model.entities import entities
from fullon_graphql.engine.model.relations import RELATION, Relation
from fullon_graphql.models.index_advice import AccessPath


def access_paths() -> list[AccessPath]:
    """The access path of every list of rows of one table below a parent; lists with the same path are one.

    The types of the graph must have been imported.
    """
    found: dict[tuple[object, ...], AccessPath] = {}
    for name, relation in _relations():
        if path := _path(name, relation):
            found.setdefault((path.table, frozenset(path.equal), path.order), path)
    return list(found.values())


def _relations() -> Iterator[tuple[str, Relation]]:
    for entity in entities():
        for field in entity.graph_type.__strawberry_definition__.fields:
            if RELATION in field.metadata:
                yield f"{entity.name}.{to_camel_case(field.python_name)}", field.metadata[RELATION]


def _path(name: str, relation: Relation) -> AccessPath | None:
    """None for a relation over several tables, and for one by the target's key, which has an index."""
    target = relation.target
    table = target.table.__table__
    columns = [attribute.property.columns[0] for attribute in relation.remote]
    if relation.join or any(column.table is not table for column in columns) or table.schema:
        return None
    equal = tuple(column.name for column in columns)
    further = [one for one in target.key if one.property.columns[0].name not in equal]
    if not further:
        return None
    is_plain = comparable(further[0]) is further[0]
    return AccessPath(name, table.name, equal, further[0].property.columns[0].name if is_plain else None)
