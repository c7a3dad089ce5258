"""What routes are handed: the process' long-lived parts, and who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from fullon_graphql.auth.credentials import credential_in_headers
from fullon_graphql.auth.principal import Caller, Principal, signed_in
from fullon_graphql.context import Process


def _process(request: Request) -> Process:
    process: Process = request.state.process
    return process


async def _caller(request: Request, process: Annotated[Process, Depends(_process)]) -> Caller:
    headers = request.headers
    credential = credential_in_headers(headers.get("authorization"), headers.get("x-api-key"))
    return await process.identities.identify(credential)


def _principal(caller: Annotated[Caller, Depends(_caller)]) -> Principal:
    return signed_in(caller)


TheProcess = Annotated[Process, Depends(_process)]
ThePrincipal = Annotated[Principal, Depends(_principal)]
"""Who is signed in; anybody else is answered 401."""
