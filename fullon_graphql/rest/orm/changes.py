"""Changes over REST: the same ones as the graph's mutations, audited under the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import inspect

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Base
from fullon_graphql.rest.answers import Json
from fullon_graphql.rest.dependencies import CallerDep, WorkerDep
from fullon_graphql.rest.rows import Further, shown
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.executor import ChangeExecutor, ChangeRequest, Key, UnitOfWork

T = TypeVar("T")
Change = Callable[[UnitOfWork], Awaitable[Key]]


class Done(BaseModel):
    """That something is no more."""

    success: bool = Field(description="Always true: a failure has another status and another body.")


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes in the name of whoever asks."""

    writes: ChangeExecutor
    caller: Caller
    request_id: str
    idempotency_key: str | None
    check_only: bool

    async def row(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        change: Change,
        model: type[Base],
        *,
        further: Further = (),
        once: str | None = None,
        status: int = 200,
    ) -> Json:
        """Perform `change`; the answer is the row of `model` with the key that it returns, as reads show it.

        With `once`, that field carries the secret which only the first answer may.
        """

        async def answer(write: UnitOfWork, key: Key) -> dict[str, Any]:
            query = visible(model, write.principal)
            [column] = inspect(model).primary_key
            [row] = (await write.connection.execute(shown(query.where(column == key), further))).all()
            secret = {once: write.shown_once} if once else {}
            return dict(row._mapping) | secret  # SQLAlchemy's documented name

        return Json(await self.answered(operation, arguments, change, answer), status)

    async def gone(self, operation: str, arguments: Mapping[str, Any], change: Change) -> Json:
        """Perform a `change` that leaves nothing to be shown."""

        async def answer(_write: UnitOfWork, _key: Key) -> dict[str, Any]:
            return {"success": True}

        return Json(await self.answered(operation, arguments, change, answer))

    async def answered(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        change: Change,
        answer: Callable[[UnitOfWork, Key], Awaitable[T]],
    ) -> T:
        """Perform `change`; what `answer` makes of the key it gives."""
        return await self.writes.perform(self._intent(operation, arguments), change, answer)

    def _intent(self, operation: str, arguments: Mapping[str, Any]) -> ChangeRequest:
        return ChangeRequest(self.caller, operation, arguments, self.request_id, self.idempotency_key, self.check_only)


def _changes(
    request: Request,
    worker: WorkerDep,
    caller: CallerDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="Any text of your own, e.g. a UUID. Repeating the change with the same key and input answers"
            " as the first time and changes nothing; other input with it is a CONFLICT.",
        ),
    ] = None,
    check_only: Annotated[
        bool, Query(description="Check everything and answer what would be, and write nothing.")
    ] = False,
) -> Changes:
    return Changes(worker.writes, caller, request.scope["request_id"], idempotency_key, check_only)


TheChanges = Annotated[Changes, Depends(_changes)]


def given(body: BaseModel, *but: str) -> dict[str, Any]:
    """What a client has filled in, without the fields named `but`."""
    return body.model_dump(exclude_unset=True, exclude=set(but))


def as_arguments(body: BaseModel) -> dict[str, Any]:
    """The whole input as JSON can carry it: what a repetition must agree with."""
    return body.model_dump(mode="json", exclude_unset=True)
