"""What routes are handed: the process' long-lived parts, and who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer

from fullon_graphql.auth.credentials import credential_in_headers
from fullon_graphql.auth.principal import Caller, Principal, signed_in
from fullon_graphql.context import Worker
from fullon_graphql.services.candles import MarketData


def _process(request: Request) -> Worker:
    worker: Worker = request.state.worker
    return worker


# They let people sign in on the documentation's page; who asks is read from the headers as everywhere else.
SIGNING_IN = [
    Security(OAuth2PasswordBearer("/api/v1/auth/login", scheme_name="Access token", auto_error=False)),
    Security(APIKeyHeader(name="X-API-Key", scheme_name="API key", auto_error=False)),
]


async def _caller(request: Request, worker: Annotated[Worker, Depends(_process)]) -> Caller:
    headers = request.headers
    credential = credential_in_headers(headers.get("authorization"), headers.get("x-api-key"))
    return await worker.authenticator.identify(credential)


def _principal(caller: Annotated[Caller, Depends(_caller)]) -> Principal:
    return signed_in(caller)


WorkerDep = Annotated[Worker, Depends(_process)]
CallerDep = Annotated[Caller, Depends(_caller)]
"""Who asks, or nobody: the services refuse whom they must."""


def _market_data(worker: WorkerDep, caller: CallerDep) -> MarketData:
    return MarketData(worker.candles, worker.database, caller)


TheMarketData = Annotated[MarketData, Depends(_market_data)]
ThePrincipal = Annotated[Principal, Depends(_principal)]
"""Who is signed in; anybody else is answered 401."""
