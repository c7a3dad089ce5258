"""The server mounted at /fullon in a FastAPI application of your own.

Start `make demo`, whose stores the application shares, then in another terminal:

    .venv/bin/python examples/18_mounted_in_another_application.py

The example sends its requests within the process. With uvicorn, `uvicorn yours:app` serves `app` as any other.
"""

from __future__ import annotations

import asyncio

import httpx
from fastapi import FastAPI

from fullon_graphql import create_app, load_settings

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""


def make_app() -> FastAPI:
    fullon = create_app(load_settings())
    app = FastAPI(lifespan=fullon.lifespan)

    @app.get("/")
    async def index() -> dict[str, str]:
        return {"graph": "/fullon/graphql"}

    app.mount("/fullon", fullon)
    return app


async def main() -> None:
    app = make_app()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client,
    ):
        graph = (await client.get("/")).json()["graph"]
        signed_in = (await client.post(graph, json={"query": LOGIN})).json()["data"]["login"]
        client.headers["Authorization"] = f"Bearer {signed_in['accessToken']}"
        me = (await client.post(graph, json={"query": "{ me { mail } }"})).json()["data"]["me"]
        bots = (await client.get("/fullon/api/v1/orm/bots")).json()
    print(f"{me['mail']} has {len(bots)} bots")


if __name__ == "__main__":
    asyncio.run(main())
