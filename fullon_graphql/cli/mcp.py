"""`fullon-graphql mcp`: tools for agents, over the Model Context Protocol."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from fullon_graphql.cli.listening import listening_socket
from fullon_graphql.engine.trusted.manifests import ManifestError, read_manifest

if TYPE_CHECKING:
    from fullon_graphql.agents.schema_search import SchemaSearch
    from fullon_graphql.agents.tools import DocumentTool

API_KEY: Final = "FULLON_API_KEY"


def mcp(
    url: Annotated[str, typer.Option(envvar="FULLON_URL", help="Address of the server.")] = "http://127.0.0.1:8000",
    key_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with the API key; default FULLON_API_KEY.")
    ] = None,
    key_header: Annotated[str, typer.Option(help="Header of the API key: API_KEY_HEADER_NAME.")] = "X-API-Key",
    documents: Annotated[
        Path | None, typer.Option(exists=True, help="Manifest or folder of documents; default those of the package.")
    ] = None,
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Offer mutations too, each with a preview and a confirmation.")
    ] = False,
    http: Annotated[
        bool, typer.Option("--http", help="Serve over HTTP at /mcp; clients send their API key as bearer token.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on, with --http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on, with --http.")] = 8765,
) -> None:
    """Serve tools for agents over MCP: each operation of trusted documents is a tool. Needs the extra `mcp`.

    Without --http it reads requests from standard input, and acts with one API key.
    """
    try:
        from fullon_graphql.agents.stdio import serve_stdio
        from fullon_graphql.agents.streamable_http import PATH, serve_http
    except ModuleNotFoundError as error:
        if error.name not in {"mcp", "mcp_types", "httpx2"}:
            raise
        _give_up("This needs the extra `mcp`: pip install 'fullon-graphql[mcp]'.")
    if http:
        if key_file:
            _give_up("With --http each client sends its own API key; leave --key-file out.")
        with listening_socket(host, port) as listening:
            tools, search = _tools(documents, allow_writes=allow_writes)
            typer.echo(f"Listening on http://{host}:{listening.getsockname()[1]}{PATH}", err=True)
            asyncio.run(serve_http(tools, search, url, key_header, listening))
    else:
        key = _key(key_file)
        tools, search = _tools(documents, allow_writes=allow_writes)
        asyncio.run(serve_stdio(tools, search, url, key, key_header))


def _key(file: Path | None) -> str:
    key = (file.read_text() if file else os.environ.get(API_KEY, "")).strip()
    if not key:
        _give_up(f"Name a file that has the API key with --key-file, or set {API_KEY}.")
    return key


def _tools(documents: Path | None, *, allow_writes: bool) -> tuple[dict[str, DocumentTool], SchemaSearch]:
    from fullon_graphql.agents.schema_search import SchemaSearch
    from fullon_graphql.agents.tools import DOCUMENTS, document_tools
    from fullon_graphql.graph import make_graph

    graph = make_graph()
    try:
        manifest = read_manifest(documents or DOCUMENTS)
    except ManifestError as error:
        _give_up(str(error))
    tools, left_out = document_tools(manifest, graph.core, allow_writes=allow_writes)
    for line in left_out if documents else ():
        typer.echo(f"Not offered: {line}", err=True)
    if not tools:
        _give_up(f"{documents} has no operation that can be a tool.")
    return tools, SchemaSearch(graph.as_str())


def _give_up(sentence: str) -> NoReturn:
    typer.secho(sentence, fg="red", err=True)
    raise typer.Exit(1)
