"""A health probe: the state of every store, and every problem. The exit code is 0 if the server can answer requests.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/16_health_probe.py

FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import sys

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")


def main() -> None:
    try:
        with httpx.Client(base_url=URL, timeout=5) as client:
            ready = client.get("/health/ready").is_success  # for a load balancer: 200 or 503
            health = client.get("/health").json()  # for people and monitors: always 200
    except httpx.TransportError as error:
        sys.exit(f"{URL} does not answer: {error}")
    print(f"{health['status']}, version {health['version']}")
    for name, store in health["parts"].items():
        print(f"  {name:10} {store['status']:8} {store['milliseconds']:.1f} ms")
    for issue in health["issues"]:
        print(f"  {issue}")
    sys.exit(0 if ready else 1)


if __name__ == "__main__":
    main()
