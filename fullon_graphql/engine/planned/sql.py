"""SQL: a row tree as one statement that PostgreSQL answers with JSON text.

Objects and arrays are concatenated as text with `||`: `json_build_object` looks up the type of each of its arguments in
each row, and `concat` copies each argument twice.

Third stage of planning. Every level is a lateral subquery over its service's visibility query, so both executions
apply the same access rule. The text depends on the shape of the operation only; values (the caller, pages, keys) are
parameters.

Three kinds of marks in the JSON text are replaced or refused afterwards: a *placeholder* carries the key of a value
from another store; a *JSON value* carries the text of a stored one, which is read as the reference reads it; an *error
marker* takes the place of a value that the reference execution has to report (a null in a non-null field, an unknown
enum value). Each begins with a control character. JSON strings contain these only escaped, and every stored text is
written by `to_json` or `json_build_array`, so no stored text can imitate a mark.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    Integer,
    Numeric,
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
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from fullon_graphql.auth.principal import Principal
from fullon_graphql.database import precompiled
from fullon_graphql.database.precompiled import Statement
from fullon_graphql.engine.lists import opaque_ids, ordering
from fullon_graphql.engine.lists.filters import Filter, narrowed
from fullon_graphql.engine.lists.filters import Shape as FilterShape
from fullon_graphql.engine.lists.ordering import Order
from fullon_graphql.engine.lists.pages import Page
from fullon_graphql.engine.model.columns import begin_an_index, comparable, is_nullable, parameter_type, stored
from fullon_graphql.engine.model.entities import Entity
from fullon_graphql.engine.model.relations import Relation
from fullon_graphql.engine.planned.fallback import Fallback
from fullon_graphql.engine.planned.rows import ConnectionMember, Id, Many, One, Paged, Placeholder, Row, TypeName, Value
from fullon_graphql.services import access
from fullon_graphql.services.change_feed.table import CURSOR

PLACEHOLDER: Final = b"\x01"
"""Begins and ends a placeholder: its number, a colon and its key, a JSON array, are between the two."""
ERROR_MARKER: Final = "\x02"
JSON_MARK: Final = "\x03"
JSON_VALUE: Final = re.compile(JSON_MARK.encode() + rb'("(?:[^"\\]|\\.)*")')
"""A stored JSON value: the mark, and its text as a JSON string."""


def has_not_finite(text: str) -> bool:
    """True if the text may contain NaN or infinity, which JSON cannot represent, as the value of a key.

    Nearly all texts are searched once: a letter that none has, or a long word, is searched faster than `:NaN`.
    """
    if "N" in text and ":NaN" in text:
        return True
    return "Infinity" in text and (":Infinity" in text or ":-Infinity" in text)


@dataclass(frozen=True)
class PageShape:
    """The properties of a page that the statement's text depends on."""

    backward: bool
    after: tuple[bool, ...] | None
    """For each value of the cursor, True if it is not null; None without a cursor."""
    before: tuple[bool, ...] | None
    order: Order
    filter: FilterShape | None

    @classmethod
    def from_page(cls, page: Page) -> PageShape:
        """The shape of a page."""
        after, before = (place and tuple(value is not None for value in place) for place in (page.after, page.before))
        return cls(page.backward, after, before, page.order, page.filter.shape if page.filter else None)


def page_values(number: int, page: Page) -> dict[str, Any]:
    """The parameters of the page with this number in the statement."""
    values: dict[str, Any] = {f"page{number}_size": page.size}
    for side, key in (("after", page.after), ("before", page.before)):
        values |= {f"page{number}_{side}{i}": part for i, part in enumerate(key or ())}
    if page.filter:
        values |= {f"page{number}_filter{i}": value for i, value in enumerate(page.filter.values)}
    return values


CALLER: Final = "caller_uid"


@dataclass
class StatementBuilder:
    """Builds one statement for one class of callers and pages of the given shapes.

    `placeholders` collects the values to fill in afterwards, in the order of their numbers.
    """

    caller: Principal
    shapes: Sequence[PageShape]
    placeholders: list[Placeholder] = field(default_factory=list)
    _levels: int = 0
    _pages: int = 0

    def __post_init__(self) -> None:
        # A parameter instead of the caller's uid; services compare with it as with a number.
        self.caller = replace(self.caller, uid=bindparam(CALLER, type_=Integer()))  # type: ignore[arg-type]

    def one(self, relation: Relation, row: Row) -> Select[Any]:
        """The row whose `remote` columns have the values of the parameters key0, key1 and so on."""
        matches = relation.matches(self.caller).where(
            *(
                comparable(column) == comparable(bindparam(f"key{i}", type_=parameter_type(column)))
                for i, column in enumerate(relation.remote)
            )
        )
        return self._objects(matches, row).limit(literal_column("1"))

    def by_keys(self, relation: Relation, row: Row) -> Select[Any]:
        """The position (from 1) and the row as text for each key in the array parameters keys0, keys1 and so on."""
        names = [f"key_{i}" for i in range(len(relation.remote))]
        arrays = [
            bindparam(f"keys{i}", type_=ARRAY(parameter_type(column))) for i, column in enumerate(relation.remote)
        ]
        parents = func.unnest(*arrays).table_valued(*names, with_ordinality="place").render_derived("parent")
        pairs = zip(relation.remote, names, strict=True)
        matches = relation.matches(self.caller).where(
            *(
                comparable(remote) == comparable(literal_column(f'parent."{name}"', parameter_type(remote)))
                for remote, name in pairs
            )
        )
        found = self._joined(self._objects(_foremost(relation, matches), row))
        return select(parents.c.place, cast(found.c.json, Text)).select_from(parents.join(found, true()))

    def everything(self, row: Row) -> Select[Any]:
        """All visible rows as one array, ordered by key."""
        return self._array(row.entity.rows(self.caller), row)

    def paged(self, paged: Paged) -> Select[Any]:
        """A connection over all visible rows."""
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
        pairs = []
        for key, member in row.keys:
            value, subquery = self._member(rows, row.entity, member)
            pairs.append((key, value))
            if subquery is not None:
                joined = joined.outerjoin(subquery, true())
        # Null if a required value is null: installations may lack NOT NULL constraints.
        return func.coalesce(_object(pairs), _ERROR), joined

    def _member(self, rows: FromClause, entity: Entity, member: Any) -> tuple[ColumnElement[Any], FromClause | None]:
        """The JSON of a member as text, null for a null in a required column, and the subquery that it takes."""
        match member:
            case TypeName():
                return _text(entity.name), None
            case Id():
                key = [opaque_ids.as_json(rows.c[name]) for name in entity.key_names]
                return _string(_opaque([entity.name], key)), None
            case Value():
                return _value(rows, member), None
            case Placeholder():
                return self._placeholder(rows, member), None
            case One():
                matches = _foremost(member.relation, self._of(rows, member.relation))
                found = self._joined(self._objects(matches, member.row))
                return func.coalesce(found.c.json, _ERROR if member.required else _NULL), found
            case Many():
                found = self._joined(self._array(self._of(rows, member.relation), member.row))
                return found.c.json, found
            case Paged(relation=Relation() as relation):
                matches = self._of(rows, relation, paged=True, mostly_own=_is_mostly_own(entity, relation))
                found = self._joined(self._connection(member, matches))
                return found.c.json, found
        raise Fallback(f"{type(member).__name__} has no SQL")

    def _joined(self, found: Select[Any]) -> FromClause:
        self._levels += 1
        return found.lateral(f"j{self._levels}")

    def _of(
        self, rows: FromClause, relation: Relation, *, paged: bool = False, mostly_own: bool = False
    ) -> Select[Any]:
        parent = (_outer(rows, name) for name in relation.local)
        return relation.of_parent(self.caller, parent, paged=paged, mostly_own=mostly_own)

    def _placeholder(self, rows: FromClause, placeholder: Placeholder) -> ColumnElement[Any]:
        self.placeholders.append(placeholder)
        key = cast(func.json_build_array(*(rows.c[name] for name in placeholder.batch.local)), Text)
        mark = literal_column(f"chr({ord(PLACEHOLDER)})", Text)
        return _concatenated([mark, _literal(f"{len(self.placeholders) - 1}:"), key, mark])

    def _connection(self, paged: Paged, matches: Select[Any]) -> Select[Any]:
        page = self._page(paged.entity)
        names = {member.name for _, member in paged.keys}
        looks_ahead = "pageInfo" in names  # only pageInfo needs the row after the page
        parent = paged.relation.remote[0] if paged.relation else None
        rows = self._level(page.cut(matches, paged.entity, ahead=int(looks_ahead), parent=parent, places=looks_ahead))
        inside = rows.c.place <= page.size if looks_ahead else None
        view = _View(paged.entity, page, rows, inside, narrowed(matches, paged.entity, page.filter))
        pairs = []
        joined: FromClause = rows
        for key, member in paged.keys:
            value, joined = self._connection_member(member, view, joined)
            pairs.append((key, value))
        answer = select(_object(pairs).label("json"))
        if not names & {"nodes", "edges", "pageInfo"}:
            return answer
        answer = answer.select_from(joined)
        if paged.relation is None and names & {"nodes", "edges"}:
            return answer  # PostgreSQL gathers rows that have the order of the list already without sorting them again
        # One group of all rows, even if no selected field aggregates them.
        return answer.group_by(literal_column("()"))

    def _page(self, entity: Entity) -> Page:
        """The next page of the operation, with parameters instead of values."""
        number, shape = self._pages, self.shapes[self._pages]
        self._pages += 1
        return Page(
            size=bindparam(f"page{number}_size", type_=Integer()),  # type: ignore[arg-type]  # in place of a number
            backward=shape.backward,
            after=_place_parameters(entity, shape.order, shape.after, f"page{number}_after"),
            before=_place_parameters(entity, shape.order, shape.before, f"page{number}_before"),
            order=shape.order,
            filter=None if shape.filter is None else Filter(shape.filter, prefix=f"page{number}_filter"),
        )

    def _connection_member(
        self, member: ConnectionMember, view: _View, joined: FromClause
    ) -> tuple[ColumnElement[Any], FromClause]:
        entity, rows = view.entity, view.rows
        node: ColumnElement[Any] | None = None
        if member.row is not None:
            node, joined = self._object(member.row, rows, joined)
        match member.name:
            case "nodes":
                return _gathered(node, view.sorting(), view.inside), joined
            case "edges":
                values = {"cursor": _string(view.cursor()), "node": node, "__typename": _text(f"{entity.name}Edge")}
                return _gathered(_named(member.keys, values), view.sorting(), view.inside), joined
            case "pageInfo":
                return _named(member.keys, _page_info(view)), joined
            case "totalCount":
                return view.total(), joined
            case "cursor":  # of the snapshot from which this statement reads the rows
                return _string(literal_column(f"({CURSOR})", Text)), joined
            case _:
                return _text(f"{entity.name}Connection"), joined


@dataclass(frozen=True)
class _View:
    """One page of a connection: its rows, the condition for being `inside` it (None for all), and all matches."""

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
        """The number of matches on all pages, as text."""
        count = self.matches.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()
        return cast(count, Text)


def compiled(statement: Select[Any], *, several: bool = False) -> Statement:
    """The statement as text for the driver. It answers one value as text or, with `several`, its rows."""
    return precompiled.compiled(statement if several else select(cast(statement.scalar_subquery(), Text)))


def _is_mostly_own(parent: Entity, relation: Relation) -> bool:
    """True if the relation leads from a row to rows of the same owner, by an index that need not contain the owner."""
    both_owned = access.is_owned(parent.table) and access.is_owned(relation.target.table)
    return both_owned and begin_an_index(relation.remote)


def _foremost(relation: Relation, matches: Select[Any]) -> Select[Any]:
    return matches.order_by(*relation.target.key).limit(1) if relation.first else matches


def _value(rows: FromClause, member: Value) -> ColumnElement[Any]:
    """The JSON of a column as text, null for a null if it is required."""
    column: ColumnElement[Any] = rows.c[member.name]
    if member.choices is None:
        json = _readable(column)
    else:
        names = [(column == _literal(choice), _text(choice)) for choice in sorted(member.choices)]
        json = case(*names, (column.is_not(None), _ERROR))
    return json if member.required else func.coalesce(json, _NULL)


def _readable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The text that the reference writes for a column, or that is found out not to have such a form; null for null.

    Numbers are cast to the type of the model, which costs nothing if the database has that type. If an installation has
    a wider one, a value out of range makes the statement fail.
    """
    json: ColumnElement[Any]
    match stored(column):
        case DateTime() as type_:
            time = comparable(column)  # stored without a zone, and UTC
            json = func.to_json(time if type_.timezone else func.timezone("UTC", time))
        case Integer():
            json = cast(column, Integer)
        case Double():
            json = cast(column, Double)
        case Numeric():
            json = cast(column, Numeric)
        case JSON():
            mark = literal_column(f"chr({ord(JSON_MARK)})", Text)
            return _concatenated([mark, cast(func.to_json(cast(column, Text)), Text)])
        case _:
            json = func.to_json(column)
    return cast(json, Text)


def _outer(rows: FromClause, name: str) -> ColumnElement[Any]:
    """A column of an enclosing level, by name; a reference would make SQLAlchemy add the level again."""
    return literal_column(f'{rows.name}."{name}"', rows.c[name].type)  # type: ignore[attr-defined]  # levels are named


def _gathered(
    json: Any, sorting: list[ColumnElement[Any]], inside: ColumnElement[bool] | None = None
) -> ColumnElement[Any]:
    """All objects as one JSON array in list order."""
    gathered: Any = func.string_agg(json, aggregate_order_by(_literal(","), *sorting))
    inner = gathered if inside is None else gathered.filter(inside)
    return func.coalesce(_concatenated([_literal("["), inner, _literal("]")]), _literal("[]"))


def _sorted(entity: Entity, order: Order, rows: FromClause, *, backward: bool = False) -> list[ColumnElement[Any]]:
    return ordering.sorting(entity, order, rows.c, backward=backward)


def _page_info(view: _View) -> dict[str, ColumnElement[Any] | None]:
    page = view.page
    more = func.count(view.rows.c.place) > page.size
    before, after = (_boolean(key is not None) for key in (page.after, page.before))
    return {
        "hasNextPage": cast(after if page.backward else more, Text),
        "hasPreviousPage": cast(more if page.backward else before, Text),
        "startCursor": _string(_outermost(view, first=True)),
        "endCursor": _string(_outermost(view, first=False)),
        "__typename": _text("PageInfo"),
    }


def _outermost(view: _View, *, first: bool) -> ColumnElement[Any]:
    """The cursor of the first row, or of the last."""
    cursors: Any = func.array_agg(aggregate_order_by(view.cursor(), *view.sorting(backward=not first)))
    return type_coerce(cursors.filter(view.inside), ARRAY(Text))[1]


def _opaque(names: list[str], values: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The SQL of `opaque_ids.encode`: URL-safe base64, without padding, of a JSON array."""
    head = "".join(f'"{name}",' for name in names)
    json: ColumnElement[Any] = literal_column(f"'[{head}'", Text)
    for number, value in enumerate(values):
        json = json.concat(literal_column("','", Text)) if number else json
        json = json.concat(value)
    encoded = func.encode(func.convert_to(json.concat(literal_column("']'", Text)), "UTF8"), "base64")
    return func.translate(encoded, literal_column(r"E'+/=\n'", Text), "-_")


def _place_parameters(entity: Entity, order: Order, given: tuple[bool, ...] | None, prefix: str) -> Any:
    """A parameter for each value of a cursor that is not null."""
    if given is None:
        return None
    columns = zip(ordering.columns(entity, order), given, strict=True)
    return tuple(
        bindparam(f"{prefix}{i}", type_=parameter_type(column)) if there else None
        for i, (column, there) in enumerate(columns)
    )


def _named(keys: tuple[tuple[str, str], ...], values: Mapping[str, ColumnElement[Any] | None]) -> ColumnElement[Any]:
    """A JSON object of the named `values` under their response keys."""
    return _object([(key, values[name]) for key, name in keys])


def _object(pairs: Sequence[tuple[str, ColumnElement[Any] | None]]) -> ColumnElement[Any]:
    """A JSON object as text; null if one of the values is null."""
    parts: list[Any] = []
    for number, (key, value) in enumerate(pairs):  # keys are GraphQL names: letters, digits, underscores
        parts += [_literal(f'{"," if number else "{"}"{key}":'), value]
    return _concatenated([*parts, _literal("}")]) if parts else _literal("{}")


def _concatenated(texts: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The texts in a row, null if one of them is null.

    They are paired up like the matches of a tournament, so a long one is copied a few times only.
    """
    middle = len(texts) // 2
    if not middle:
        return texts[0]
    concatenate = _concatenated(texts[:middle]).op("||", return_type=Text())
    return concatenate(_concatenated(texts[middle:]))


def _string(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text as JSON, also if it is null."""
    return _or_null(func.to_json(text))


def _or_null(json: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(cast(json, Text), _NULL)


def _text(value: str) -> ColumnElement[Any]:
    """A constant as a JSON string; it contains no quotes."""
    return _literal(f'"{value}"')


def _literal(text: str) -> ColumnElement[Any]:
    return literal_column(f"'{text}'", Text)


_NULL: Final = _literal("null")
_ERROR: Final = literal_column(f"chr({ord(ERROR_MARKER)})", Text)


def _boolean(value: bool) -> ColumnElement[Any]:
    return literal_column("true" if value else "false")
