"""Sign-ins in the audit log, accepted and refused ones.

A mail without an account may be a password that was typed into the wrong field, so only a keyed hash of it is recorded:
equal ones can be recognized, and none can be read. Each worker records a limited number of refusals per minute; the
others, and those beyond LOGIN_LIMIT, are counted and recorded as one row per minute.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from fullon_graphql.background import Ready
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import CircuitOpen
from fullon_graphql.observability.metrics import count_sign_in
from fullon_graphql.services import audit
from fullon_graphql.services.audit import NOBODY, SYSTEM, Event

OPERATION: Final = "login"
PER_MINUTE: Final = 30
"""Refused sign-ins that a worker records one by one in a minute."""
WINDOW_SECONDS: Final = 60.0

_MAX_CLIENT_TEXT = 200  # characters of address and user agent that are stored

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignIn:
    """An attempt to sign in: how, and where from."""

    method: str
    """`password`, `password and code`, `command line`, or the name of an external issuer."""
    address: str | None = None
    user_agent: str | None = None
    request_id: str = ""

    def facts(self, outcome: str, **further: Any) -> dict[str, Any]:
        """The columns of the attempt in the audit log."""
        return {
            "outcome": outcome,
            "method": self.method,
            "address": self.address,
            "user_agent": self.user_agent,
        } | further


async def accepted(connection: AsyncConnection, attempt: SignIn, uid: int, credential: str) -> None:
    """Record an accepted sign-in in the transaction that opens the session. Call it last."""
    await audit.append(connection, _acceptance(attempt, uid, credential))


def _acceptance(attempt: SignIn, uid: int, credential: str) -> Event:
    facts = attempt.facts("accepted")
    return Event(uid, credential, OPERATION, "User", str(uid), "", None, facts, attempt.request_id)


class SignInLog:
    """Records sign-ins of one worker that have no transaction of their own."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._key = settings.jwt_secret_key.get_secret_value().encode()
        self._window_began = monotonic()
        self._recorded = 0
        self._counted = 0

    async def accepted(self, attempt: SignIn, uid: int, credential: str) -> None:
        """Record an accepted sign-in without a session. A failure to write is logged only."""
        count_sign_in("accepted")
        await self._write(_acceptance(attempt, uid, credential))

    async def refused(self, attempt: SignIn, uid: int | None, mail: str, reason: str) -> None:
        """Record a refusal, of an account or of an unknown mail. A failure to write is logged only."""
        count_sign_in("refused")
        if monotonic() - self._window_began >= WINDOW_SECONDS:
            await self.write_summary()
        if self._recorded >= PER_MINUTE:
            self.count_refused()
            return
        self._recorded += 1
        key = str(uid) if uid is not None else self._masked(mail)
        facts = attempt.facts("refused", reason=reason)
        await self._write(Event(uid or NOBODY, "none", OPERATION, "User", key, "", None, facts, attempt.request_id))

    def count_refused(self) -> None:
        """Count a refusal for the next summary."""
        self._counted += 1

    async def write_summary(self) -> None:
        """Begin a new minute, and record how many refusals of the last one were only counted."""
        counted, self._counted, self._recorded, self._window_began = self._counted, 0, 0, monotonic()
        if counted:
            facts = {"outcome": "refused", "count": counted}
            await self._write(Event(NOBODY, SYSTEM, OPERATION, "User", "", "", None, facts, ""))

    async def run(self, ready: Ready) -> None:
        """Write a summary per minute until cancelled; a background task."""
        while True:
            ready()
            await asyncio.sleep(WINDOW_SECONDS)
            await self.write_summary()

    async def _write(self, event: Event) -> None:
        try:
            await self._database.in_transaction(lambda connection: audit.append(connection, event))
        except (SQLAlchemyError, OSError, CircuitOpen) as error:
            _log.warning("sign_in_not_recorded", error=type(error).__name__)

    def _masked(self, mail: str) -> str:
        digest = hmac.new(self._key, mail.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
        return f"unknown:{digest[:16]}"


def printable(text: str | None) -> str | None:
    """Address or user agent as stored: without control characters, and cut."""
    return None if text is None else "".join(filter(str.isprintable, text[:_MAX_CLIENT_TEXT]))
