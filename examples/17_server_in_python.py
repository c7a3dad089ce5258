"""Start a server from Python, send a request, and stop it in order.

Start `make demo`, whose stores the server shares, then in another terminal:

    .venv/bin/python examples/17_server_in_python.py
"""

from __future__ import annotations

import asyncio

import httpx
import uvicorn

from fullon_graphql import create_app, load_settings


async def main() -> None:
    config = uvicorn.Config(create_app(load_settings()), port=0, log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    print("started")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        answer = await client.post("/graphql", json={"query": "{ __typename }"})
        print(answer.json()["data"])
    server.should_exit = True
    await serving
    print("stopped")


if __name__ == "__main__":
    asyncio.run(main())
