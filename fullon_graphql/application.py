"""The ASGI application as a library serves it: under any path, and without a server that runs its lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

OpenState: TypeAlias = Callable[[], AbstractAsyncContextManager[Mapping[str, Any]]]
"""Opens what requests find in `scope["state"]`, and closes it at the end of the block."""


class Application:
    """The application that `create_app` returns.

    A server that runs its lifespan starts and ends it. A framework that mounts it does not; then it starts with the
    first request, and `lifespan` ends it in order.
    """

    def __init__(self, app: ASGIApp, open_state: OpenState, api_prefix: str) -> None:
        self.api_prefix = api_prefix
        """The path under which it has REST."""
        self._app = app
        self._open_state = open_state
        self._running: _Running | None = None
        self._holders = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.handle(scope, receive, send)

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Do what a call does, without a coroutine of its own. Servers recognize ASGI by a coroutine function."""
        if scope["type"] != "lifespan":
            if "worker" not in scope.get("state", ()):
                return self._start_and_handle(scope, receive, send)
            if scope.get("root_path"):
                scope = relative(scope)
        return self._app(scope, receive, send)

    async def _start_and_handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = {**scope.get("state", {}), **await self._started()}
        await self.handle({**scope, "state": state}, receive, send)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Start now, end with the block: the lifespan of an application that mounts this one or has its routers.

        Blocks may be nested; the last one to end ends the application.
        """
        self._holders += 1
        try:
            await self._started()
            yield
        finally:
            self._holders -= 1
            if not self._holders and self._running:
                running, self._running = self._running, None
                await running.end()

    async def _started(self) -> Mapping[str, Any]:
        if self._running is None or self._running.has_failed():
            self._running = _Running(self._open_state)
        return await self._running.state()


class _Running:
    """The open state. One task of its own opens and closes it, so a cancelled request interrupts neither."""

    def __init__(self, open_state: OpenState) -> None:
        self._open_state = open_state
        self._ending = asyncio.Event()
        self._state: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="application")

    async def state(self) -> Mapping[str, Any]:
        return await asyncio.shield(self._state)

    def has_failed(self) -> bool:
        """True if the state could not be opened."""
        return self._state.done() and (self._state.cancelled() or self._state.exception() is not None)

    async def end(self) -> None:
        self._ending.set()
        await self._task

    async def _run(self) -> None:
        try:
            async with self._open_state() as state:
                self._state.set_result(state)
                await self._ending.wait()
        except Exception as error:
            if self._state.done():
                raise
            self._state.set_exception(error)


def relative(scope: Scope) -> Scope:
    """The scope with a path that begins behind `root_path`, under which the application is mounted.

    The new `root_path` ends with a slash. Otherwise Starlette would remove it again from a path of ours that
    begins with the same word.
    """
    root: str = scope["root_path"].rstrip("/")
    path: str = scope["path"]
    if path != root and not path.startswith(f"{root}/"):
        return scope
    return {**scope, "path": path.removeprefix(root) or "/", "root_path": f"{root}/"}
