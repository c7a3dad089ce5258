"""What routes are handed: the process' long-lived parts, and who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer

from fullon_graphql.auth.credentials import credential_in_headers
from fullon_graphql.auth.principal import Caller, Principal, signed_in
from fullon_graphql.context import Process
from fullon_graphql.services.candles import MarketData


def _process(request: Request) -> Process:
    process: Process = request.state.process
    return process


# They let people sign in on the documentation's page; who asks is read from the headers as everywhere else.
SIGNING_IN = [
    Security(OAuth2PasswordBearer("/api/v1/auth/login", scheme_name="Access token", auto_error=False)),
    Security(APIKeyHeader(name="X-API-Key", scheme_name="API key", auto_error=False)),
]


async def _caller(request: Request, process: Annotated[Process, Depends(_process)]) -> Caller:
    headers = request.headers
    credential = credential_in_headers(headers.get("authorization"), headers.get("x-api-key"))
    return await process.identities.identify(credential)


def _principal(caller: Annotated[Caller, Depends(_caller)]) -> Principal:
    return signed_in(caller)


TheProcess = Annotated[Process, Depends(_process)]
TheCaller = Annotated[Caller, Depends(_caller)]
"""Who asks, or nobody: the services refuse whom they must."""


def _market_data(process: TheProcess, caller: TheCaller) -> MarketData:
    return MarketData(process.candles, process.database, caller)


TheMarketData = Annotated[MarketData, Depends(_market_data)]
ThePrincipal = Annotated[Principal, Depends(_principal)]
"""Who is signed in; anybody else is answered 401."""
