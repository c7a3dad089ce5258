"""Every family of REST: the rows that your account sees, and look-ups of single ones.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/21_rest_families.py [MAIL [PASSWORD]]

FULLON_URL names another server than http://127.0.0.1:8000, whose /docs describes every route.
"""

from __future__ import annotations

import os
import sys

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
DEMO_PASSWORD = "fullon-demo"

LISTS = {
    "users": "/orm/users",
    "bots": "/orm/bots",
    "orders": "/orm/orders/history",
    "trades": "/orm/trades/live",
    "exchanges": "/orm/exchanges/user-exchanges",
    "strategies": "/orm/strategies/user-strategies",
}


def show_look_ups(client: httpx.Client) -> None:
    newest = client.get("/orm/orders/history", params={"limit": 1}).json()[0]
    order = client.get(f"/orm/orders/{newest['order_id']}").raise_for_status().json()
    same_bot = client.get("/orm/orders/by-bot", params={"bot_id": order["bot_id"], "limit": 1000}).json()
    print(f"newest order: {order['side']} {order['symbol']}, one of {len(same_bot)} of its bot")

    found = client.get("/orm/symbols/search", params={"q": "btc"}).raise_for_status().json()
    one = {"symbol": found[0]["symbol"], "cat_ex_id": found[0]["cat_ex_id"]}
    decimals = client.get("/orm/symbols/decimals", params=one).raise_for_status().json()["decimals"]
    print(f"symbols with btc: {len(found)}; {one['symbol']} has {decimals} decimals")

    overview = client.get("/orm/views/trading-overview").raise_for_status().json()
    print(f"trading overview: {len(overview)} figures")


def main(mail: str = "trader@fullon", password: str = DEMO_PASSWORD) -> None:
    with httpx.Client(base_url=f"{URL}/api/v1", timeout=30) as client:
        try:
            signed_in = client.post("/auth/login", data={"username": mail, "password": password})
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        client.headers["Authorization"] = f"Bearer {signed_in.raise_for_status().json()['access_token']}"
        for family, path in LISTS.items():
            rows = client.get(path, params={"limit": 1000}).raise_for_status().json()
            print(f"{family:12} {len(rows)}")
        show_look_ups(client)


if __name__ == "__main__":
    main(*sys.argv[1:])
