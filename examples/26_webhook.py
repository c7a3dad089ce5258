"""A program that receives events by POST, without a connection of its own to the server, and checks their signature.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/26_webhook.py

It listens on a free port, creates a webhook for events of bots, creates a bot and deletes it, and prints what arrives.
The demo allows addresses in private networks; a server does with WEBHOOK_PRIVATE_NETWORKS=true. FULLON_URL names
another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")

LOGIN = """mutation { login(mail: "trader@fullon", password: "fullon-demo") { accessToken } }"""
CREATE = """mutation ($url: String!) {
  createWebhook(input: {name: "example", url: $url, streams: [BOTS], kinds: [CREATED, DELETED]}) {
    secret webhook { webhookId }
  }
}"""
DELETE = "mutation ($id: Int!) { deleteWebhook(webhookId: $id) }"
CREATE_BOT = """mutation { createBot(input: {name: "for a moment", dryRun: true}) { botId } }"""
DELETE_BOT = "mutation ($id: Int!) { deleteBot(botId: $id) }"

LONGEST_AGE = 300
"""Seconds after which a recorded request is refused."""

received: queue.Queue[tuple[str, bytes]] = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    """Accepts every request; the main thread does the work."""

    def do_POST(self) -> None:  # the name that the library calls
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.put((self.headers["Fullon-Signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def is_genuine(secret: str, signature: str, body: bytes) -> bool:
    """True if the server has sent it, and not long ago."""
    parts = dict(part.split("=", 1) for part in signature.split(","))
    signed = parts["t"].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < LONGEST_AGE


def ask(client: httpx.Client, query: str, **variables: object) -> Any:
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    if "errors" in answer:
        sys.exit(f"{answer['errors'][0]['extensions']['code']}: {answer['errors'][0]['message']}")
    return answer["data"]


def show(secret: str, seen: set[str]) -> None:
    """Print the next event, unless it is a repetition."""
    signature, body = received.get(timeout=30)
    if not is_genuine(secret, signature, body):
        print("refused: the signature is wrong")
        return
    event = json.loads(body)
    if event["id"] not in seen:
        seen.add(event["id"])
        row = event["data"]["row"]
        print(f"{event['type']:14} bot {event['data']['key']['bot_id']}: {row['name'] if row else 'deleted'}")


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with httpx.Client(base_url=URL) as client:
        client.headers["authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        created = ask(client, CREATE, url=f"http://127.0.0.1:{server.server_port}/events")["createWebhook"]
        seen: set[str] = set()
        try:
            bot = ask(client, CREATE_BOT)["createBot"]["botId"]
            show(created["secret"], seen)
            ask(client, DELETE_BOT, id=bot)
            show(created["secret"], seen)
        finally:
            ask(client, DELETE, id=created["webhook"]["webhookId"])
    print(f"{len(seen)} events, each genuine")


if __name__ == "__main__":
    main()
