"""Trusted documents: the one place in which the id of a request becomes a document.

Transports call `resolve` before anything else reads the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Literal

import structlog
from graphql import GraphQLSchema
from redis.asyncio import Redis

from fullon_graphql.auth.principal import Principal
from fullon_graphql.background import BackgroundTasks, Work
from fullon_graphql.config import Settings
from fullon_graphql.context import Context
from fullon_graphql.engine.documents import Document, Operation
from fullon_graphql.engine.operations import Request
from fullon_graphql.engine.trusted.identifiers import hash_of, is_hash, parse_id
from fullon_graphql.engine.trusted.manifests import Manifest, read_manifest, stamp
from fullon_graphql.engine.trusted.registered import RegisteredDocuments
from fullon_graphql.engine.trusted.usage import Usage
from fullon_graphql.errors import BadUserInput, DocumentNotFound, DocumentNotTrusted, shortened
from fullon_graphql.observability.metrics import Metrics

log = structlog.get_logger(__name__)

Mode = Literal["off", "log", "only"]

RELOAD_SECONDS: Final = 5.0
"""Seconds between two checks for changed files of the manifest."""
FLUSH_SECONDS: Final = 10.0
"""Seconds between two additions of the usage to that in Redis."""
_FLUSH_TIMEOUT: Final = 2.0
"""Seconds of the addition at the end of a worker."""
_MOST_LOGGED: Final = 1_000
"""Documents that are logged one by one as not trusted."""
_SHARE_OF_REGISTERED: Final = 16
"""Registered documents take this fraction of CACHE_BYTES."""


class TrustedDocuments:
    """The documents of a worker that clients name by an id.

    Raises:
        ManifestError: the manifest cannot be read.
    """

    def __init__(self, schema: GraphQLSchema, settings: Settings, metrics: Metrics) -> None:
        self._mode: Mode = settings.trusted_documents
        self._path = Path(settings.trusted_documents_path) if settings.trusted_documents_path else None
        self._stamp = stamp(self._path) if self._path else None
        self._manifest = read_manifest(self._path) if self._path and self._mode != "off" else Manifest()
        self._registered = RegisteredDocuments(settings.cache_bytes // _SHARE_OF_REGISTERED, metrics)
        self._metrics = metrics
        self._logged: set[str] = set()
        self._usage = None if self._mode == "off" else Usage(schema, metrics)

    @property
    def is_on(self) -> bool:
        """True if the mode is `log` or `only`; then the usage is counted."""
        return self._usage is not None

    async def resolve(self, request: Request, redis: Redis) -> Request:
        """The request with its document, or with the error that refuses it.

        Raises:
            BadUserInput: the id is malformed, or is not that of the document beside it.
        """
        if request.document_id is None:
            return request if self._usage is None else self._checked(request)
        id_ = parse_id(request.document_id)
        known = self._manifest.documents.get(id_)
        if request.query:
            _check_identity(id_, known, request)
            registers = known is None and self._mode != "only"
            return self._checked(request._replace(registers=id_ if registers else None))
        if known is None and self._mode != "only" and is_hash(id_):
            known = await self._registered.get(id_, redis)
        if known is not None:
            return self._checked(request._replace(query=known))
        if self._mode == "only":
            self._metrics.trusted_documents.add("refused")
            return request._replace(refusal=DocumentNotTrusted(f"the id {shortened(id_)}"))
        return request._replace(refusal=DocumentNotFound())

    def accepted(self, request: Request, document: Document, operation: Operation, context: Context) -> None:
        """Register and count an operation that is about to be executed."""
        if request.registers:
            self._registered.register(request.registers, request.query, shared=isinstance(context.caller, Principal))
        if self._usage and self._usage.count(document, operation, context.client) and not request.is_internal:
            self._log_untrusted(document, operation, context)

    @asynccontextmanager
    async def running(self, background: BackgroundTasks, redis: Redis) -> AsyncIterator[None]:
        """Share documents and usage with the other workers while the block runs."""
        work: dict[str, Work] = {}
        if self._mode != "only":
            work["registered documents"] = partial(self._registered.store, redis)
        if self._usage:
            work["usage of documents"] = partial(self._flush, self._usage, redis)
        if self._path and self._usage:
            work["manifest of documents"] = partial(self._reload, self._path)
        async with background.running(work):
            yield
        if self._usage:
            with suppress(Exception):  # the usage of the last seconds is not worth an error at the end
                async with asyncio.timeout(_FLUSH_TIMEOUT):
                    await self._usage.flush(redis)

    def _checked(self, request: Request) -> Request:
        """The request, refused if its document must be trusted and is not."""
        if self._usage is None:
            return request
        if request.query in self._manifest.ids:
            self._metrics.trusted_documents.add("trusted")
            return request
        if self._mode == "only":
            self._metrics.trusted_documents.add("refused")
            return request._replace(refusal=DocumentNotTrusted(f"the document {shortened(request.query)}"))
        self._metrics.trusted_documents.add("untrusted")
        return request

    def _log_untrusted(self, document: Document, operation: Operation, context: Context) -> None:
        is_known = document.text in self._manifest.ids or document.hash in self._logged
        if is_known or len(self._logged) >= _MOST_LOGGED:
            return
        self._logged.add(document.hash)
        name = (operation.name or "")[:80]
        log.warning("documents.untrusted", document=document.hash, operation=name, client=(context.client or "")[:80])

    async def _flush(self, usage: Usage, redis: Redis, ready: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await usage.flush(redis)
            ready()

    async def _reload(self, path: Path, ready: Callable[[], None]) -> None:
        """Read the manifest again when its files change; one that cannot be read leaves the last in effect."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            current = await asyncio.to_thread(stamp, path)
            if current != self._stamp:
                self._manifest = await asyncio.to_thread(read_manifest, path)
                self._stamp = current
                log.info("documents.manifest_read", documents=len(self._manifest.ids))
            ready()


def _check_identity(id_: str, known: str | None, request: Request) -> None:
    if known == request.query or (known is None and id_ == hash_of(request.query)):
        return
    raise BadUserInput(
        f"The id {shortened(id_)} is not that of the document in `query`. Send the SHA-256 hash of its UTF-8 bytes."
    )
