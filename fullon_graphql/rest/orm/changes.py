"""Changes over REST: the same as the GraphQL mutations, and audited under the same names."""

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
from fullon_graphql.rest.rows import ExtraColumns, select_visible
from fullon_graphql.services.access import visible
from fullon_graphql.services.writing.executor import ChangeExecutor, ChangeRequest, Key, UnitOfWork

T = TypeVar("T")
Change = Callable[[UnitOfWork], Awaitable[Key]]


class Done(BaseModel):
    """Result of a deletion."""

    success: bool = Field(description="Always true: a failure has another status and body.")


@dataclass(frozen=True, slots=True)
class Changes:
    """Performs changes in the name of the caller."""

    writes: ChangeExecutor
    caller: Caller
    request_id: str
    idempotency_key: str | None
    check_only: bool

    async def perform_row(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        change: Change,
        model: type[Base],
        *,
        extra: ExtraColumns = (),
        once: str | None = None,
        status: int = 200,
    ) -> Json:
        """Perform `change` and answer with the row of `model` under the key it returns, in the form of reads.

        `once` names the field of the secret that only the first answer contains.
        """

        async def answer(write: UnitOfWork, key: Key) -> dict[str, Any]:
            query = visible(model, write.principal)
            [column] = inspect(model).primary_key
            [row] = (await write.connection.execute(select_visible(query.where(column == key), extra))).all()
            secret = {once: write.shown_once} if once else {}
            return dict(row._mapping) | secret  # SQLAlchemy's documented name

        return Json(await self.perform(operation, arguments, change, answer), status)

    async def perform_delete(self, operation: str, arguments: Mapping[str, Any], change: Change) -> Json:
        """Perform a `change` that leaves no row."""

        async def answer(_write: UnitOfWork, _key: Key) -> dict[str, Any]:
            return {"success": True}

        return Json(await self.perform(operation, arguments, change, answer))

    async def perform(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        change: Change,
        answer: Callable[[UnitOfWork, Key], Awaitable[T]],
    ) -> T:
        """Perform `change` and answer with what `answer` returns for its key."""
        return await self.writes.perform(self._request(operation, arguments), change, answer)

    def _request(self, operation: str, arguments: Mapping[str, Any]) -> ChangeRequest:
        return ChangeRequest(self.caller, operation, arguments, self.request_id, self.idempotency_key, self.check_only)


async def _changes(
    request: Request,
    worker: WorkerDep,
    caller: CallerDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="Any text, e.g. a UUID. A repeated request with the same key and input gets the first answer"
            " and changes nothing; the same key with other input is a CONFLICT.",
        ),
    ] = None,
    check_only: Annotated[
        bool, Query(description="Validate the change and answer with its result, but write nothing.")
    ] = False,
) -> Changes:
    return Changes(worker.writes, caller, request.scope["request_id"], idempotency_key, check_only)


ChangesDep = Annotated[Changes, Depends(_changes)]


def given(body: BaseModel, *but: str) -> dict[str, Any]:
    """The fields that the client has set, except those named `but`."""
    return body.model_dump(exclude_unset=True, exclude=set(but))


def as_arguments(body: BaseModel) -> dict[str, Any]:
    """The whole input as JSON: a repeated request with the same idempotency key must be equal."""
    return body.model_dump(mode="json", exclude_unset=True)
