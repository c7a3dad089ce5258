"""Statements: a tree of rows as one SQL statement that PostgreSQL answers with JSON text.

Third stage of planning. Every level is a lateral subquery over its service's visibility query, so the rule about who
sees a row is the same object in both executions. The text depends on the shape of the question only; values (the
caller, pages, keys) are parameters.

What PostgreSQL cannot or must not decide is marked in the text: a *hole* carries the key of a value from elsewhere,
a *trap* stands where the reference execution has an error to report (a null where none may be, an enum value that
does not exist). Both begin with a nonce of this process, so nothing that is stored can pass for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from secrets import token_hex
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, asyncpg

from fullon_graphql.auth.principal import Principal
from fullon_graphql.engine.lists import opaque_ids, ordering
from fullon_graphql.engine.lists.filters import Filter, narrowed
from fullon_graphql.engine.lists.filters import Shape as FilterShape
from fullon_graphql.engine.lists.ordering import Order
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.columns import is_nullable, stored
from fullon_graphql.engine.model.entities import Entity
from fullon_graphql.engine.model.relations import Relation
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.rows import Id, Many, One, Paged, PagedPart, Placeholder, Row, TypeName, Value

NONCE: Final = token_hex(8)
TRAP: Final = rf"\u0001{NONCE}!".encode()
"""How a trap looks in JSON text."""
PLACEHOLDER: Final = re.compile(rf'"\\u0001{NONCE}:(\d+):((?:[^"\\]|\\.)*)"'.encode())
"""A hole in JSON text: its number, and its key as escaped JSON."""


def has_not_finite(text: bytes) -> bool:
    """True where one of these may stand in JSON text: how PostgreSQL writes the floats that JSON has no form for."""
    return b'"NaN"' in text or b'Infinity"' in text


_MOST_KEYS: Final = 50  # json_build_object takes 100 arguments

_dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no annotations


@dataclass(frozen=True)
class Statement:
    """SQL text, and which value each of its parameters takes: a fixed one, or one of the names given at run time."""

    text: str
    parameters: tuple[Parameter, ...]

    def values(self, given: dict[str, Any]) -> list[Any]:
        """The parameters in order, as the driver wants them."""
        return [one.value(given) for one in self.parameters]


@dataclass(frozen=True)
class Parameter:
    """One place for a value: the one given under `name`, or a fixed one; `bound` is what its type makes of it."""

    name: str | None
    fixed: Any
    bound: Callable[[Any], Any] | None

    def value(self, given: dict[str, Any]) -> Any:
        """What the driver is told."""
        value = self.fixed if self.name is None else given[self.name]
        return self.bound(value) if self.bound else value


@dataclass(frozen=True)
class PageShape:
    """What of a page shows in the statement's text."""

    backward: bool
    after: tuple[bool, ...] | None
    """Of the values that make this place, which are not null; None where no place is given."""
    before: tuple[bool, ...] | None
    order: Order
    filter: FilterShape | None

    @classmethod
    def of(cls, page: Page) -> PageShape:
        """The shape of a page."""
        after, before = (place and tuple(value is not None for value in place) for place in (page.after, page.before))
        return cls(page.backward, after, before, page.order, page.filter.shape if page.filter else None)


def page_values(number: int, page: Page) -> dict[str, Any]:
    """The parameters of the page with this number among the operation's pages."""
    values: dict[str, Any] = {f"page{number}_size": page.size}
    for side, key in (("after", page.after), ("before", page.before)):
        values |= {f"page{number}_{side}{i}": part for i, part in enumerate(key or ())}
    if page.filter:
        values |= {f"page{number}_filter{i}": value for i, value in enumerate(page.filter.values)}
    return values


CALLER: Final = "caller_uid"


@dataclass
class StatementBuilder:
    """Writes one statement, for callers of one class, with pages of these shapes.

    `holes` collects what must be filled in afterwards, in the order of their numbers.
    """

    caller: Principal
    shapes: Sequence[PageShape]
    holes: list[Placeholder] = field(default_factory=list)
    _levels: int = 0
    _pages: int = 0

    def __post_init__(self) -> None:
        # A parameter in the place of the caller's key: the service compares with it as with any number.
        self.caller = replace(self.caller, uid=bindparam(CALLER, type_=Integer()))  # type: ignore[arg-type]

    def one(self, relation: Relation, row: Row) -> Select[Any]:
        """The row whose `remote` columns have the values of the parameters key0, key1 and so on."""
        matches = relation.matches(self.caller).where(
            *(column == bindparam(f"key{i}", type_=column.type) for i, column in enumerate(relation.remote))
        )
        return self._objects(matches, row).limit(1)

    def by_keys(self, relation: Relation, row: Row) -> Select[Any]:
        """For each of the keys in the parameters keys0, keys1, …: its place, from 1 on, and its row as text."""
        names = [f"key_{i}" for i in range(len(relation.remote))]
        arrays = [bindparam(f"keys{i}", type_=ARRAY(column.type)) for i, column in enumerate(relation.remote)]
        parents = func.unnest(*arrays).table_valued(*names, with_ordinality="place").render_derived("parent")
        pairs = zip(relation.remote, names, strict=True)
        matches = relation.matches(self.caller).where(
            *(remote == literal_column(f'parent."{name}"', remote.type) for remote, name in pairs)
        )
        found = self._joined(self._objects(_foremost(relation, matches), row))
        return select(parents.c.place, cast(found.c.json, Text)).select_from(parents.join(found, true()))

    def everything(self, row: Row) -> Select[Any]:
        """All visible rows as one array, by key."""
        return self._array(row.entity.rows(self.caller), row)

    def paged(self, paged: Paged) -> Select[Any]:
        """A connection over everything visible."""
        return self._connection(paged, paged.entity.rows(self.caller))

    def _objects(self, matches: Select[Any], row: Row) -> Select[Any]:
        """One JSON object per matching row."""
        rows = self._level(matches)
        json, joined = self._object(row, rows, rows)
        return select(json.label("json")).select_from(joined)

    def _array(self, matches: Select[Any], row: Row) -> Select[Any]:
        """One JSON array of all matching rows."""
        rows = self._level(matches)
        json, joined = self._object(row, rows, rows)
        gathered = _gathered(json, _sorted(row.entity, (), rows))
        return select(gathered.label("json")).select_from(joined)

    def _level(self, matches: Select[Any]) -> FromClause:
        self._levels += 1
        return matches.lateral(f"t{self._levels}")

    def _object(self, row: Row, rows: FromClause, joined: FromClause) -> tuple[ColumnElement[Any], FromClause]:
        """The JSON object of one row of `rows`, and `joined` with what that takes joined to it as well."""
        if len(row.keys) > _MOST_KEYS:
            raise Fallback(f"more than {_MOST_KEYS} keys in one object")
        arguments: list[ColumnElement[Any]] = []
        for key, part in row.keys:
            value, subquery = self._part(rows, row.entity, part)
            arguments += [_name(key), value]
            if subquery is not None:
                joined = joined.outerjoin(subquery, true())
        return func.json_build_object(*arguments), joined

    def _part(self, rows: FromClause, entity: Entity, part: Any) -> tuple[ColumnElement[Any], FromClause | None]:
        match part:
            case TypeName():
                return _text(entity.name), None
            case Id():
                return _opaque([entity.name], [opaque_ids.as_json(rows.c[name]) for name in entity.key_names]), None
            case Value():
                return _value(entity, rows, part), None
            case Placeholder():
                return self._hole(rows, part), None
            case One():
                matches = _foremost(part.relation, self._of(rows, part.relation))
                found = self._joined(self._objects(matches, part.row))
                return (_required(found.c.json) if part.required else found.c.json), found
            case Many():
                found = self._joined(self._array(self._of(rows, part.relation), part.row))
                return found.c.json, found
            case Paged(relation=Relation() as relation):
                found = self._joined(self._connection(part, self._of(rows, relation)))
                return found.c.json, found
        raise Fallback(f"{type(part).__name__} has no SQL")

    def _joined(self, found: Select[Any]) -> FromClause:
        self._levels += 1
        return found.lateral(f"j{self._levels}")

    def _of(self, rows: FromClause, relation: Relation) -> Select[Any]:
        pairs = zip(relation.remote, relation.local, strict=True)
        return relation.matches(self.caller).where(*(remote == _outer(rows, local) for remote, local in pairs))

    def _hole(self, rows: FromClause, hole: Placeholder) -> ColumnElement[Any]:
        self.holes.append(hole)
        key = cast(func.json_build_array(*(rows.c[name] for name in hole.batch.local)), Text)
        return func.to_json(literal_column(f"chr(1) || '{NONCE}:{len(self.holes) - 1}:'", Text).concat(key))

    def _connection(self, paged: Paged, matches: Select[Any]) -> Select[Any]:
        page = self._page(paged.entity)
        names = {part.name for _, part in paged.keys}
        looks_ahead = "pageInfo" in names  # only then is the row behind the page of interest
        one_parent = paged.relation is not None
        rows = self._level(
            page.cut(matches, paged.entity, ahead=int(looks_ahead), one_parent=one_parent, places=looks_ahead)
        )
        inside = rows.c.place <= page.size if looks_ahead else None
        view = _View(paged.entity, page, rows, inside, narrowed(matches, paged.entity, page.filter))
        arguments: list[ColumnElement[Any]] = []
        joined: FromClause = rows
        for key, part in paged.keys:
            value, joined = self._connection_part(part, view, joined)
            arguments += [_name(key), value]
        answer = select(func.json_build_object(*arguments).label("json"))
        if not names & {"nodes", "edges", "pageInfo"}:
            return answer
        # One group of all rows, also where nothing that is selected gathers them.
        return answer.select_from(joined).group_by(literal_column("()"))

    def _page(self, entity: Entity) -> Page:
        """The next page of the operation, with parameters in the places of its values."""
        number, shape = self._pages, self.shapes[self._pages]
        self._pages += 1
        return Page(
            size=bindparam(f"page{number}_size", type_=Integer()),  # type: ignore[arg-type]  # stands for a number
            backward=shape.backward,
            after=_place_parameters(entity, shape.order, shape.after, f"page{number}_after"),
            before=_place_parameters(entity, shape.order, shape.before, f"page{number}_before"),
            order=shape.order,
            filter=None if shape.filter is None else Filter(shape.filter, prefix=f"page{number}_filter"),
        )

    def _connection_part(
        self, part: PagedPart, view: _View, joined: FromClause
    ) -> tuple[ColumnElement[Any], FromClause]:
        entity, rows = view.entity, view.rows
        node: ColumnElement[Any] | None = None
        if part.row is not None:
            node, joined = self._object(part.row, rows, joined)
        match part.name:
            case "nodes":
                return _gathered(node, view.sorting(), view.inside), joined
            case "edges":
                values = {"cursor": view.cursor(), "node": node, "__typename": _text(f"{entity.name}Edge")}
                return _gathered(_named(part.keys, values), view.sorting(), view.inside), joined
            case "pageInfo":
                return _named(part.keys, _page_info(view)), joined
            case "totalCount":
                return view.total(), joined
            case _:
                return _text(f"{entity.name}Connection"), joined


@dataclass(frozen=True)
class _View:
    """One page of a connection: its rows, which of them are `inside` it (all, where None), and all that match."""

    entity: Entity
    page: Page
    rows: FromClause
    inside: ColumnElement[bool] | None
    matches: Select[Any]

    def sorting(self, *, backward: bool = False) -> list[ColumnElement[Any]]:
        """The order of the list, or its reverse."""
        return _sorted(self.entity, self.page.order, self.rows, backward=backward)

    def cursor(self) -> ColumnElement[Any]:
        """The cursor of a row."""
        order = ordering.entire(self.entity, self.page.order)
        parts = (
            opaque_ids.as_json(self.rows.c[by.name], nullable=is_nullable(self.entity.columns[by.name])) for by in order
        )
        return _opaque(["after", ordering.name(self.entity, self.page.order)], list(parts))

    def total(self) -> ColumnElement[Any]:
        """How many rows match, whatever the page."""
        return self.matches.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()


def compiled(statement: Select[Any], *, several: bool = False) -> Statement:
    """The statement as text for the driver: its one value as text or, with `several`, its rows as they are."""
    found = (statement if several else select(cast(statement.scalar_subquery(), Text))).compile(dialect=_dialect)
    return Statement(str(found), tuple(_parameter(found, name) for name in found.positiontup or ()))


def _parameter(found: Any, name: str) -> Parameter:
    bound = found.binds[name].type.dialect_impl(_dialect).bind_processor(_dialect)
    return Parameter(name, None, bound) if _GIVEN.fullmatch(name) else Parameter(None, found.params[name], bound)


def public_text(statement: Statement) -> str:
    """The text without the nonce, which nobody outside may know."""
    return statement.text.replace(NONCE, "nonce")


_GIVEN: Final = re.compile(rf"{CALLER}|page\d+_\w+|keys?\d+")
"""Parameters whose values come with each execution."""


def _foremost(relation: Relation, matches: Select[Any]) -> Select[Any]:
    return matches.order_by(*relation.target.key).limit(1) if relation.first else matches


def _value(entity: Entity, rows: FromClause, part: Value) -> ColumnElement[Any]:
    column: ColumnElement[Any] = rows.c[part.name]
    if part.choices is not None:
        known = column.in_([literal_column(f"'{choice}'") for choice in sorted(part.choices)])
        column = case((known, column), (column.is_(None), None), else_=_trap())
    elif isinstance(stored(column), DateTime) and not stored(column).timezone:
        column = func.timezone("UTC", column)  # stored without a zone, and UTC
    may_be_null = is_nullable(entity.columns[part.name])
    return _required(func.to_json(column)) if may_be_null and part.required else column


def _outer(rows: FromClause, name: str) -> ColumnElement[Any]:
    """A column of an enclosing level, by name: SQLAlchemy would bring the whole level in again."""
    return literal_column(f'{rows.name}."{name}"', rows.c[name].type)  # type: ignore[attr-defined]  # levels are named


def _required(json: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(json, func.to_json(_trap()))


def _trap() -> ColumnElement[str]:
    return literal_column(f"chr(1) || '{NONCE}!'", Text)


def _gathered(
    json: Any, sorting: list[ColumnElement[Any]], inside: ColumnElement[bool] | None = None
) -> ColumnElement[Any]:
    """All objects as one array, in their order."""
    gathered: Any = func.json_agg(aggregate_order_by(json, *sorting))
    return func.coalesce(gathered if inside is None else gathered.filter(inside), literal_column("'[]'::json"))


def _sorted(entity: Entity, order: Order, rows: FromClause, *, backward: bool = False) -> list[ColumnElement[Any]]:
    return ordering.sorting(entity, order, rows.c, backward=backward)


def _page_info(view: _View) -> dict[str, ColumnElement[Any] | None]:
    page = view.page
    more = func.count(view.rows.c.place) > page.size
    before, after = (_boolean(key is not None) for key in (page.after, page.before))
    return {
        "hasNextPage": after if page.backward else more,
        "hasPreviousPage": more if page.backward else before,
        "startCursor": _outermost(view, first=True),
        "endCursor": _outermost(view, first=False),
        "__typename": _text("PageInfo"),
    }


def _outermost(view: _View, *, first: bool) -> ColumnElement[Any]:
    """The cursor of the first row, or of the last."""
    cursors: Any = func.array_agg(aggregate_order_by(view.cursor(), *view.sorting(backward=not first)))
    return type_coerce(cursors.filter(view.inside), ARRAY(Text))[1]


def _opaque(names: list[str], values: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    """What `keys.encode` makes: URL-safe base64, without padding, of a JSON array."""
    head = "".join(f'"{name}",' for name in names)
    json: ColumnElement[Any] = literal_column(f"'[{head}'", Text)
    for number, value in enumerate(values):
        json = json.concat(literal_column("','", Text)) if number else json
        json = json.concat(value)
    encoded = func.encode(func.convert_to(json.concat(literal_column("']'", Text)), "UTF8"), "base64")
    return func.translate(encoded, literal_column(r"E'+/=\n'", Text), "-_")


def _place_parameters(entity: Entity, order: Order, given: tuple[bool, ...] | None, prefix: str) -> Any:
    """A parameter for each value of a place that is not null."""
    if given is None:
        return None
    columns = zip(ordering.columns(entity, order), given, strict=True)
    return tuple(
        bindparam(f"{prefix}{i}", type_=column.type) if there else None for i, (column, there) in enumerate(columns)
    )


def _named(keys: tuple[tuple[str, str], ...], values: Mapping[str, ColumnElement[Any] | None]) -> ColumnElement[Any]:
    """A JSON object of some of `values`, under the keys that the client chose."""
    pairs = ((_name(key), values[name]) for key, name in keys)
    return func.json_build_object(*chain.from_iterable(pairs))


def _name(key: str) -> ColumnElement[Any]:
    return literal_column(f"'{key}'", Text)  # a GraphQL name: letters, digits, underscores


def _text(value: str) -> ColumnElement[Any]:
    return literal_column(f"'{value}'::text", Text)


def _boolean(value: bool) -> ColumnElement[Any]:
    return literal_column("true" if value else "false")
