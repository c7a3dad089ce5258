"""Sign in and read your own account.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/01_who_am_i.py [MAIL [PASSWORD]]

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
DEMO_PASSWORD = "fullon-demo"

LOGIN = """mutation ($mail: String!, $password: String!) {
  login(mail: $mail, password: $password) { accessToken expiresAt }
}"""
WHO_AM_I = "{ me { uid mail name lastname isAdmin exchanges { name catalog { name } } bots { totalCount } } }"


def ask(client: httpx.Client, query: str, **variables: object) -> Any:
    """The data of one operation. An error exits the program with its code and message."""
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    for error in answer.get("errors", []):
        sys.exit(f"{error['extensions']['code']}: {error['message']}")
    return answer["data"]


def main(mail: str = "trader@fullon", password: str = DEMO_PASSWORD) -> None:
    with httpx.Client(base_url=URL, timeout=30) as client:
        session = ask(client, LOGIN, mail=mail, password=password)["login"]
        client.headers["Authorization"] = f"Bearer {session['accessToken']}"
        me = ask(client, WHO_AM_I)["me"]

    print(f"{me['name']} {me['lastname']} <{me['mail']}>, {'administrator' if me['isAdmin'] else 'user'} {me['uid']}")
    print(f"signed in until {session['expiresAt']}, owner of {me['bots']['totalCount']} bots")
    for account in me["exchanges"]:
        print(f"  {account['name']:20} on {account['catalog']['name']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
