"""Sending the hash of a document instead of its text, which the server learns once.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/15_documents_by_hash.py

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation {
  login(mail: "trader@fullon", password: "fullon-demo") { accessToken }
}"""
BOTS = """query Bots($first: Int) {
  bots(first: $first) {
    totalCount
    nodes { name active orders(last: 1) { nodes { side symbol price } } }
  }
}"""


def main() -> None:
    with httpx.Client(base_url=URL, timeout=30, headers={"apollographql-client-name": "example"}) as client:
        try:
            token = client.post("/graphql", json={"query": LOGIN}).json()["data"]["login"]["accessToken"]
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        client.headers["authorization"] = f"Bearer {token}"
        for first in (1, 2, 3):
            answer = ask(client, BOTS, first=first)
            names = [bot["name"] for bot in answer["data"]["bots"]["nodes"]]
            print(f"  {first} of {answer['data']['bots']['totalCount']} bots: {', '.join(names)}")


def ask(client: httpx.Client, document: str, **variables: Any) -> Any:
    """The answer to a document. The text is sent only if the server does not know its hash."""
    request: dict[str, Any] = {
        "variables": variables,
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(document.encode()).hexdigest()}},
    }
    answer = post(client, request)
    if any(error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND" for error in answer.get("errors", ())):
        answer = post(client, {"query": document, **request})
    if "errors" in answer:
        sys.exit(f"The server refused: {json.dumps(answer['errors'])}")
    return answer


def post(client: httpx.Client, request: dict[str, Any]) -> Any:
    answer = client.post("/graphql", json=request)
    print(f"{len(answer.request.content)} bytes sent, {'text and hash' if 'query' in request else 'hash alone'}")
    return answer.json()


if __name__ == "__main__":
    main()
