"""List the background services as an administrator, stop one and start it again.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/05_service_control.py [SERVICE]

where SERVICE is TICKER, OHLCV or ACCOUNT. FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
TIMEOUT = 60.0  # seconds: a mutation answers once the service has reached the state

LOGIN = """mutation {
  login(mail: "admin@fullon", password: "fullon-demo") { accessToken }
}"""
SERVICES = "{ services { name state isRunning error holder } }"
STOP = "mutation ($name: ServiceName!) { stopService(name: $name) { name state isRunning error holder } }"
START = "mutation ($name: ServiceName!) { startService(name: $name) { name state isRunning error holder } }"


def ask(client: httpx.Client, query: str, **variables: object) -> Any:
    """The data of one operation. An error exits the program with its code and message."""
    try:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    except httpx.ConnectError:
        sys.exit(f"No server at {URL}. Start one with: make demo")
    for error in answer.get("errors", []):
        sys.exit(f"{error['extensions']['code']}: {error['message']}")
    return answer["data"]


def show(service: dict[str, Any]) -> None:
    detail = f"in {service['holder']}" if service["isRunning"] else service["error"] or ""
    print(f"{service['name']:8} {service['state']:8} {detail}".rstrip())


def main(name: str = "TICKER") -> None:
    with httpx.Client(base_url=URL, timeout=TIMEOUT) as client:
        client.headers["Authorization"] = f"Bearer {ask(client, LOGIN)['login']['accessToken']}"
        for service in ask(client, SERVICES)["services"]:
            show(service)
        show(ask(client, STOP, name=name)["stopService"])
        show(ask(client, START, name=name)["startService"])


if __name__ == "__main__":
    main(*sys.argv[1:])
