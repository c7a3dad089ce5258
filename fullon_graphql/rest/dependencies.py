"""FastAPI dependencies: the worker, the caller, the principal and market data."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security, params
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer

from fullon_graphql.auth.principal import Caller, Principal, reader, signed_in
from fullon_graphql.context import Worker
from fullon_graphql.observability.request_record import headers_of, record_of
from fullon_graphql.server.response_headers import response_headers
from fullon_graphql.services.access import CANDLES
from fullon_graphql.services.candles import MarketData


async def _worker(request: Request) -> Worker:
    worker: Worker = request.scope["state"]["worker"]
    return worker


WorkerDep = Annotated[Worker, Depends(_worker)]


def security_schemes(prefix: str, api_key_header: str) -> list[params.Depends]:
    """Dependencies for the sign-in form of the documentation page only; `_caller` reads the headers itself."""
    return [
        Security(OAuth2PasswordBearer(f"{prefix}/auth/login", scheme_name="Access token", auto_error=False)),
        Security(APIKeyHeader(name=api_key_header, scheme_name="API key", auto_error=False)),
    ]


async def _caller(request: Request, worker: WorkerDep) -> Caller:
    caller = await worker.authenticator.identify_request(headers_of(request.scope))
    if record := record_of(request.scope):
        record.uid = caller.uid if isinstance(caller, Principal) else None
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]
"""The caller, anonymous if no credential came; the services check access."""


async def _count_request(request: Request, worker: WorkerDep, caller: CallerDep) -> None:
    scope = request.scope
    address = scope["client"][0] if scope.get("client") else None
    worker.rate_limits.spend(caller, address, response_headers(scope))


RATE_LIMIT = Depends(_count_request)
"""Counts the request; the answer is 429 beyond the limit."""


async def _principal(caller: CallerDep) -> Principal:
    return signed_in(caller)


async def _reader(caller: CallerDep) -> Principal:
    return reader(caller)


async def _candles_reader(caller: CallerDep) -> Principal:
    return signed_in(caller, CANDLES)


async def _market_data(worker: WorkerDep, caller: CallerDep) -> MarketData:
    return MarketData(worker.read_candles, worker.reads(caller), caller)


MarketDataDep = Annotated[MarketData, Depends(_market_data)]
ReaderDep = Annotated[Principal, Depends(_reader)]
"""The signed-in caller of a route that reads with `visible`, which checks the scope of each entity."""
CandlesDep = Annotated[Principal, Depends(_candles_reader)]
"""The signed-in caller of a route with market data that is collected for candles."""
PrincipalDep = Annotated[Principal, Depends(_principal)]
"""The signed-in caller; the answer is 401 for an anonymous one."""
