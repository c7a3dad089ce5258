"""Two workers of a small application, which start in a fraction of the time of ours: `python -m tests.server.workers`."""

from __future__ import annotations

import asyncio
import sys

from starlette.types import Receive, Scope, Send

from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.config import Settings
from fullon_graphql.server.shutdown import STATE_KEY, Shutdown, shutdown_of
from fullon_graphql.server.uvicorn_config import Workers, uvicorn_config


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 200 until the shutdown has begun, and closes sockets with 1012 in it."""
    match scope["type"]:
        case "lifespan":
            await receive()
            scope["state"][STATE_KEY] = Shutdown()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        case "http":
            status = 503 if shutdown_of(scope).has_begun else 200
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
        case "websocket":
            ended = asyncio.Event()
            await receive()
            await send({"type": "websocket.accept"})
            shutdown_of(scope).add(ended.set)
            await ended.wait()
            await send({"type": "websocket.close", "code": 1012})


def main() -> None:
    with listening_socket("127.0.0.1", 0) as listening:
        print("Listening on http://{}:{}".format(*listening.getsockname()[:2]), file=sys.stderr)  # noqa: T201  # as `serve` does
        Workers(uvicorn_config("tests.server.workers:app", Settings(), workers=2), [listening]).run()


if __name__ == "__main__":
    main()
