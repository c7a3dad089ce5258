"""Relations: from the rows of one entity to rows of another.

A relation is declared once, on the GraphQL type. It names the columns that join the target; which rows the caller
sees is decided by the target's service alone. This module also builds the statement in which the reference execution
follows a relation for any number of parents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from fullon_graphql.auth.principal import Caller
from fullon_graphql.engine.lists import opaque_ids
from fullon_graphql.engine.lists.filters import Filter, narrowed
from fullon_graphql.engine.lists.pages import Page, is_parent
from fullon_graphql.engine.model.columns import comparable, parameter_type
from fullon_graphql.engine.model.entities import Entity, Key, required_entity

Attribute = InstrumentedAttribute[Any]

RELATION = "relation"
"""The key of a field's `Relation` in its Strawberry metadata."""


@dataclass(frozen=True, eq=False)
class Join:
    """An association table between the relation's two ends, and its join condition with the target."""

    table: type[Any]
    on: ColumnElement[bool]


@dataclass(frozen=True, eq=False)
class Relation:
    """From the columns `local` of a parent to the rows of `target` with the same values in the columns `remote`.

    `first` selects only the first row by key, for columns that are not unique.
    """

    target_name: str
    local: tuple[str, ...]
    remote: tuple[Attribute, ...]
    join: Join | None = None
    first: bool = False

    @property
    def target(self) -> Entity:
        """The entity the relation leads to."""
        return required_entity(self.target_name)

    @cached_property
    def fits(self) -> Callable[[Key], bool]:
        """True for values that can be stored in the columns `remote`."""
        return opaque_ids.fitting(self.remote)

    def key_from(self, parent: object) -> Key | None:
        """The values of `parent` to join by, or None if one is null: the relation is then empty."""
        values = tuple(getattr(parent, name) for name in self.local)
        return None if None in values else values

    def matches(self, caller: Caller, *, mostly_own: bool = False) -> Select[Any]:
        """All rows of the target that `caller` may see, joined with the association table if there is one."""
        statement = self.target.rows(caller, mostly_own=mostly_own)
        return statement.join(self.join.table, self.join.on) if self.join else statement

    def of_parent(
        self, caller: Caller, values: Iterable[ColumnElement[Any]], *, paged: bool = False, mostly_own: bool = False
    ) -> Select[Any]:
        """The rows of `matches` of the parent with these `values`; if `paged`, for `Page.cut`."""
        pairs = [(comparable(column), comparable(value)) for column, value in zip(self.remote, values, strict=True)]
        conditions = [column == value for column, value in pairs]
        if paged:
            conditions[0] = is_parent(*pairs[0])
        return self.matches(caller, mostly_own=mostly_own).where(*conditions)


def relation(
    target: str,
    local: str | tuple[str, ...],
    remote: Attribute | tuple[Attribute, ...],
    through: Join | None = None,
    *,
    first: bool = False,
) -> Relation:
    """A `Relation`; single columns may be given without a tuple."""
    return Relation(
        target,
        local if isinstance(local, tuple) else (local,),
        remote if isinstance(remote, tuple) else (remote,),
        through,
        first,
    )


PLACE = "parent_place"
"""Label of the column with the parent's position among the keys, from 1."""
WRITER = "written_by"
"""Label of the column with the transaction that wrote a row."""
PARENT = "parent_{}"
"""Name of one of the parent's values, by its position in the key."""


def children(relation: Relation, caller: Caller, page: Page | None) -> Select[Any]:
    """The target's rows for all parent keys in one statement, each parent with its own page.

    The keys are the parameters `key_arrays`.
    """
    parents = _parents(relation)
    matches = _of_parent(relation, caller, paged=page is not None)
    rows = (
        page.cut(matches, relation.target, parent=relation.remote[0])
        if page
        else matches.order_by(*relation.target.key)
    )
    child = rows.lateral("child")
    return select(parents.c[PLACE], *child.c).select_from(parents.join(child, true()))


def versions(entity: Entity, keys: Sequence[Key], names: Sequence[str]) -> Select[Any]:
    """The rows with these keys, of any owner: columns by name, and the transaction that wrote the row last.

    It is for programs that decide by themselves who receives a row. `WRITER` has the lowest 32 bits of a transaction.
    """
    labels = [PARENT.format(i) for i in range(len(entity.key))]
    arrays = [
        bindparam(label, [key[i] for key in keys], type_=ARRAY(parameter_type(column)), unique=True)
        for i, (label, column) in enumerate(zip(labels, entity.key, strict=True))
    ]
    parents = func.unnest(*arrays).table_valued(*labels, with_ordinality=PLACE).render_derived("parent")
    conditions = (
        comparable(column) == comparable(literal_column(f'parent."{label}"', parameter_type(column)))
        for label, column in zip(labels, entity.key, strict=True)
    )
    columns = (comparable(entity.columns[name]).label(name) for name in names)
    table = entity.table.__tablename__
    writer = literal_column(f"CAST(CAST({table}.xmin AS text) AS bigint)", BigInteger).label(WRITER)
    return select(parents.c[PLACE], writer, *columns).select_from(parents.join(entity.table, and_(*conditions)))


def counts(relation: Relation, caller: Caller, filter_: Filter | None = None) -> Select[Any]:
    """The number of matching rows of the relation for all parent keys, the parameters `key_arrays`."""
    parents = _parents(relation)
    counted = (
        narrowed(_of_parent(relation, caller), relation.target, filter_)
        .with_only_columns(func.count().label("total"), maintain_column_froms=True)
        .lateral("child")
    )
    return select(parents.c[PLACE], counted.c.total).select_from(parents.join(counted, true()))


def key_arrays(relation: Relation, keys: Sequence[Key]) -> dict[str, list[Any]]:
    """The keys as one array per column, by the name of its parameter."""
    return {PARENT.format(i): [key[i] for key in keys] for i in range(len(relation.remote))}


def _parents(relation: Relation) -> FromClause:
    names = [PARENT.format(i) for i in range(len(relation.remote))]
    arrays = [
        bindparam(name, type_=ARRAY(parameter_type(column)))
        for name, column in zip(names, relation.remote, strict=True)
    ]
    return func.unnest(*arrays).table_valued(*names, with_ordinality=PLACE).render_derived("parent")


def _of_parent(relation: Relation, caller: Caller, *, paged: bool = False) -> Select[Any]:
    """The target's rows of the current parent, referenced as text; SQLAlchemy would add the parents to the FROM."""
    parents = (
        literal_column(f'parent."{PARENT.format(i)}"', parameter_type(one)) for i, one in enumerate(relation.remote)
    )
    return relation.of_parent(caller, parents, paged=paged)
