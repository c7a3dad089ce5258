"""Apollo Client 4 with hashes instead of documents, registered by itself or extracted before."""

from __future__ import annotations

import json
from pathlib import Path

from fullon_graphql.engine.trusted.extraction import extract
from tests.fixtures.clients import StartClient
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, StartInProcess
from tests.fixtures.signing_in import SignIn

ME = "query Me { me { ...Z ...A } } fragment Z on User { uid } fragment A on User { mail }"
ANSWER = {"me": {"__typename": "User", "uid": TRADER, "mail": f"user{TRADER}@fullon"}}


async def test_client_registers_a_document_once(start_client: StartClient, server: Server, sign_in: SignIn) -> None:
    token, simple = await sign_in(TRADER), "query Me { me { uid mail } }"
    queries = [simple, simple, "query Wrong { nothing }"]
    async with start_client("apollo-hashes.mjs", url=f"{server.url}/graphql", token=token, queries=queries) as client:
        received = [await client.receive() for _ in range(8)]
    assert received == [
        {"sent": False}, {"sent": True}, {"answer": ANSWER},
        {"sent": False}, {"answer": ANSWER},
        {"sent": False}, {"sent": True}, {"error": ["GRAPHQL_VALIDATION_FAILED"]},
    ]  # fmt: skip


async def test_client_names_extracted_documents(
    start_client: StartClient, start_in_process: StartInProcess, sign_in: SignIn, tmp_path: Path
) -> None:
    source, manifest = tmp_path / "documents.js", tmp_path / "manifest.json"
    source.write_text(f"export const Me = gql`{ME}`;")
    manifest.write_text(json.dumps({one.id: one.body for one in extract([source], typename=True)}))
    queries = [ME, "query Other { me { uid } }"]
    async with start_in_process(TRUSTED_DOCUMENTS="only", TRUSTED_DOCUMENTS_PATH=str(manifest)) as server:
        given = {"url": f"{server.url}/graphql", "token": await sign_in(TRADER), "queries": queries}
        async with start_client("apollo-hashes.mjs", **given) as client:
            received = [await client.receive() for _ in range(4)]
    assert received == [{"sent": False}, {"answer": ANSWER}, {"sent": False}, {"error": ["DOCUMENT_NOT_TRUSTED"]}]
