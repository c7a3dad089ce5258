"""Mutations that change rows: declared once with what they answer, each with `idempotencyKey` and `dryRun`.

The resolver of such a field calls a service with `info.context.write` and returns the key that the service answers.
The field itself answers the row with that key, read in the same transaction: also in a dry run, before it is undone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from fullon_graphql.context import Info
from fullon_graphql.engine.model.entities import entity_of
from fullon_graphql.errors import NotFound
from fullon_graphql.services.writing.executor import ChangeRequest, Key, UnitOfWork

Answer: TypeAlias = Callable[[UnitOfWork, Key], Awaitable[Any]]

_COMMON: Final = (
    StrawberryArgument(
        "idempotency_key",
        None,
        StrawberryAnnotation(str | None),
        description="Any text of your own, e.g. a UUID. Repeating the change with the same key and input answers as the"
        " first time and changes nothing; other input with it is a CONFLICT.",
        default=None,
    ),
    StrawberryArgument(
        "dry_run",
        None,
        StrawberryAnnotation(bool | None),
        description="True checks everything and answers what would be, and writes nothing.",
        default=False,
    ),
)


def change(type_: Any, description: str, answer: Answer | None = None) -> Any:
    """A mutation that answers `type_`: an entity's row, `bool`, or whatever `answer` makes of the key."""
    performed = Performed(answer or (_true if type_ is bool else row_of(type_)))
    return strawberry.mutation(graphql_type=type_, description=description, extensions=[performed])


def given(values: object, *but: str) -> dict[str, Any]:
    """The fields that a client has filled in of an input, by Python name, as values that JSON and SQL can carry."""
    return {name: value for name, value in _plain(values).items() if name not in but}


def row_of(type_: type[Any]) -> Answer:
    """Answers the row of `type_` with the key, as it is seen in the write's transaction."""
    entity = entity_of(type_)

    async def read(write: UnitOfWork, key: Key) -> Any:
        values = key if isinstance(key, list) else [key]
        same = [column == value for column, value in zip(entity.key, values, strict=True)]
        row = (await write.connection.execute(entity.rows(write.principal).where(*same))).first()
        if row is None:
            raise NotFound(f"No {entity.name} with key {', '.join(map(str, values))}.")
        return entity.build(row)

    return read


class Performed(FieldExtension):
    """Runs the resolver inside a write."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def apply(self, field: StrawberryField) -> None:
        """Add the arguments that every change has."""
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
        """What the change answers, once it is committed (or undone)."""
        context = info.context
        intent = ChangeRequest(
            context.caller, info.field_name, _plain(kwargs), context.request_id, idempotency_key, bool(dry_run)
        )

        async def run(write: UnitOfWork) -> Key:
            context.unit_of_work = write
            return await next_(source, info, **kwargs)

        try:
            return await context.worker.writes.perform(intent, run, self._answer)
        finally:
            context.unit_of_work = None
            context.forget()  # what was loaded before may be otherwise now


async def _true(_write: UnitOfWork, _key: Key) -> bool:
    return True


def _plain(value: Any) -> Any:
    """An argument without Strawberry: inputs as dictionaries of what was given, enums by their value."""
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
