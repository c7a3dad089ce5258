"""Generate a client from the OpenAPI description: a Python module with a function for each route of REST.

Start `make demo`, then in another terminal:

    .venv/bin/python examples/22_client_from_openapi.py [FILE]

with FILE (fullon_client.py in a temporary folder), the module to write. Generators for other languages read the same
description at /openapi.json. FULLON_URL names another server than http://127.0.0.1:8000.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

URL = os.environ.get("FULLON_URL", "http://127.0.0.1:8000")
ACCOUNT = {"username": "trader@fullon", "password": "fullon-demo"}

FUNCTION = '''

def {name}(client, {arguments}body=None, **query):
    """{summary}"""
    response = client.request("{method}", f"{path}", params=query, json=body)
    response.raise_for_status()
    return response.json()
'''


def functions(description: dict[str, Any]) -> Iterator[str]:
    """The source of each function, e.g. `get_orm_bots_bot_id(client, bot_id)`."""
    for path, operations in description["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        name = re.sub(r"\W+", "_", path.removeprefix("/api/v1/")).strip("_")
        arguments = "".join(f"{argument}, " for argument in re.findall(r"\{(\w+)\}", path))
        for method, operation in operations.items():
            yield FUNCTION.format(
                name=f"{method}_{name}",
                arguments=arguments,
                summary=operation["summary"],
                method=method.upper(),
                path=path,
            )


def main(file: str = "") -> None:
    with httpx.Client(base_url=URL, timeout=30) as client, tempfile.TemporaryDirectory() as folder:
        try:
            description = client.get("/openapi.json").raise_for_status().json()
        except httpx.ConnectError:
            sys.exit(f"No server at {URL}. Start one with: make demo")
        module = Path(file or Path(folder, "fullon_client.py"))
        sources = list(functions(description))
        module.write_text(f'"""REST of {description["info"]["title"]}, generated."""\n' + "".join(sources))
        print(f"{module.name}: {len(sources)} functions")

        api = runpy.run_path(str(module))
        token = client.post("/api/v1/auth/login", data=ACCOUNT).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        for bot in api["get_orm_bots"](client, limit=3):
            details = api["get_orm_bots_bot_id"](client, bot["bot_id"])
            print(f"  {details['bot_id']:>3}  {details['name']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
