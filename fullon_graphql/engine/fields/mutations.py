"""Mutations that change rows, each with the arguments `idempotencyKey` and `dryRun`.

The resolver of such a field takes `write`, the open unit of work, calls a service with it and returns the key of the
changed row. The field answers the row with that key, read in the same transaction; a dry run reads it before the
rollback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import ReservedName, StrawberryResolver

from fullon_graphql.context import Info
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.services.writing.executor import ChangeRequest, Key, UnitOfWork

Answer: TypeAlias = Callable[[UnitOfWork, Key], Awaitable[Any]]

_COMMON: Final = (
    StrawberryArgument(
        "idempotency_key",
        None,
        StrawberryAnnotation(str | None),
        description="A text that identifies this change, e.g. a UUID. A repetition with the same key and input returns"
        " the first answer and changes nothing; the same key with other input is a CONFLICT.",
        default=None,
    ),
    StrawberryArgument(
        "dry_run",
        None,
        StrawberryAnnotation(bool | None),
        description="If true, the change is checked and its result is returned, but nothing is written.",
        default=False,
    ),
)


def change(
    type_: Any, description: str, answer: Answer | None = None, *, directives: Sequence[object] = ()
) -> Callable[[Callable[..., Awaitable[Key]]], Any]:
    """Declare a resolver as a mutation that returns `type_`: an entity's row, `bool`, or what `answer` returns."""
    performed = Performed(answer or (_true if type_ is bool else row_of(type_)))

    def declare(resolver: Callable[..., Awaitable[Key]]) -> Any:
        return strawberry.mutation(
            _ChangeResolver(resolver),
            graphql_type=type_,
            description=description,
            directives=directives,
            extensions=[performed],
        )

    return declare


def given(values: object, *but: str) -> dict[str, Any]:
    """The fields of an input that the client has set, by Python name, as values for JSON and SQL."""
    return {name: value for name, value in _plain(values).items() if name not in but}


def row_of(type_: type[Any]) -> Answer:
    """An answer that reads the row of `type_` with the returned key in the unit of work's transaction."""
    entity = entity_of(type_)

    async def read(write: UnitOfWork, key: Key) -> Any:
        values = key if isinstance(key, list) else [key]
        same = [column == value for column, value in zip(entity.key, values, strict=True)]
        row = (await write.connection.execute(entity.rows(write.principal).where(*same))).first()
        if row is None:
            raise NotFound(f"No {entity.name} with key {', '.join(map(shortened, values))}.")
        return entity.build(row._asdict())

    return read


def rows_of(type_: type[Any]) -> Answer:
    """An answer that reads the rows of `type_` with the returned keys, in the order of the keys, as `row_of` does."""
    entity = entity_of(type_)
    [column] = entity.key

    async def read(write: UnitOfWork, keys: Key) -> Any:
        assert isinstance(keys, list), "the resolver returns a list"
        found = entity.rows(write.principal).where(column.in_(keys)).order_by(column)
        return [entity.build(row._asdict()) for row in await write.connection.execute(found)]

    return read


class _ChangeResolver(StrawberryResolver[Any]):
    """A resolver whose parameter `write` is the unit of work and no argument of the field."""

    RESERVED_PARAMSPEC = (*StrawberryResolver.RESERVED_PARAMSPEC, ReservedName("write"))


class Performed(FieldExtension):
    """Runs the resolver inside a unit of work."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def apply(self, field: StrawberryField) -> None:
        """Add the arguments that every mutation of this kind has."""
        own = [argument for argument in field.arguments if argument not in _COMMON]
        field.arguments = [*own, *_COMMON]

    async def resolve_async(
        self,
        next_: Callable[..., Awaitable[Key]],
        source: Any,
        info: Info,
        idempotency_key: str | None = None,
        dry_run: bool | None = False,
        **kwargs: Any,
    ) -> Any:
        """The answer of the mutation, after the commit or rollback."""
        context = info.context
        request = ChangeRequest(
            context.caller, info.field_name, _plain(kwargs), context.request_id, idempotency_key, bool(dry_run)
        )

        async def run(write: UnitOfWork) -> Key:
            return await next_(source, info, write=write, **kwargs)

        try:
            return await context.worker.writes.perform(request, run, self._answer)
        finally:
            context.forget()  # rows loaded before the change may be out of date


async def _true(_write: UnitOfWork, _key: Key) -> bool:
    return True


def _plain(value: Any) -> Any:
    """An argument without Strawberry's types: inputs as dictionaries of the fields that were set, enums by value."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    match value:
        case dict():
            return {name: _plain(part) for name, part in value.items() if part is not strawberry.UNSET}
        case list():
            return [_plain(part) for part in value]
        case Enum():
            return value.value
        case datetime() | _:
            return value
