"""The MCP server: lists the tools that the caller's API key may use, and calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from fullon_graphql.agents.answers import as_text, errors_of
from fullon_graphql.agents.confirmations import SECONDS, PendingChange, PendingChanges
from fullon_graphql.agents.graph_client import GraphClient, ServerError
from fullon_graphql.agents.schema_search import SchemaSearch
from fullon_graphql.agents.tools import DRY_RUN, IDEMPOTENCY_KEY, DocumentTool
from fullon_graphql.auth.principal import is_allowed
from fullon_graphql.errors import shortened

CREDENTIAL: Final = Path(__file__).with_name("credential.graphql").read_text()
"""The document by which the tools of an API key are found."""

INSTRUCTIONS: Final = (
    "Reads and changes a Fullon trading platform: bots, orders, trades, positions, prices and candles. Times are UTC."
    " A tool that changes something only previews the change; call `confirm` with the token of the preview to make it,"
    " after the user has agreed."
)

Context = ServerRequestContext[Any, Any]
KeyOf = Callable[[Context], str]
"""Finds the API key of a request."""


def _text_argument(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _tool(name: str, description: str, argument: str, text: str, hints: ToolAnnotations) -> Tool:
    schema = {
        "type": "object",
        "properties": {argument: _text_argument(text)},
        "required": [argument],
        "additionalProperties": False,
    }
    return Tool(name=name, description=description, input_schema=schema, annotations=hints)


_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_PREVIEWS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

SEARCH = _tool(
    "search_schema",
    "Find types, fields and values of the GraphQL schema by words in their names and descriptions.",
    "text",
    "Words that must all occur, e.g. `open orders`.",
    _READS,
)
DESCRIBE = _tool(
    "describe",
    "The definition of one element of the GraphQL schema, with its descriptions, as SDL.",
    "coordinate",
    "A schema coordinate: `Order`, `Query.orders`, `Query.orders(first:)`, `ServiceName.TICKER`.",
    _READS,
)
CONFIRM = _tool(
    "confirm",
    "Make the change that a preview has shown. Call it only after the user has agreed to the preview.",
    "token",
    "The `confirmationToken` of the preview.",
    _CHANGES,
)


class AgentServer:
    """Answers the requests of MCP clients with operations on a GraphQL server."""

    def __init__(
        self, tools: Mapping[str, DocumentTool], search: SchemaSearch, client: GraphClient, key_of: KeyOf
    ) -> None:
        self._tools = tools
        self._search = search
        self._client = client
        self._key_of = key_of
        self._pending = PendingChanges()

    def protocol_server(self) -> Server[Any]:
        """The server of the SDK, for any transport."""
        return Server(
            "fullon-graphql",
            version=version("fullon-graphql"),
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )

    async def _list_tools(self, context: Context, _: PaginatedRequestParams | None) -> ListToolsResult:
        scopes = await self._scopes(self._key_of(context))
        allowed = [tool for tool in self._tools.values() if all(is_allowed(scope, scopes) for scope in tool.scopes)]
        confirm = [CONFIRM] if any(tool.writes for tool in allowed) else []
        return ListToolsResult(tools=[*map(_as_tool, allowed), *confirm, SEARCH, DESCRIBE])

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        key, arguments = self._key_of(context), params.arguments or {}
        try:
            match params.name:
                case SEARCH.name:
                    return _result(self._search.search(_text(arguments, "text")))
                case DESCRIBE.name:
                    return self._describe(_text(arguments, "coordinate"))
                case CONFIRM.name:
                    return await self._confirm(key, _text(arguments, "token"))
                case name if tool := self._tools.get(name):
                    return await self._execute(key, tool, arguments)
        except ServerError as error:
            return _result(str(error), failed=True)
        raise MCPError(INVALID_PARAMS, f"There is no tool {shortened(params.name)}.")

    async def _scopes(self, key: str) -> list[str]:
        try:
            answer = await self._client.execute(key, CREDENTIAL, "AgentCredential")
        except ServerError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from error
        if errors := errors_of(answer):
            raise MCPError(INTERNAL_ERROR, f"The server has refused the API key: {errors[0]['message']}")
        return list(answer["data"]["credential"]["scopes"])

    def _describe(self, coordinate: str) -> CallToolResult:
        if text := self._search.describe(coordinate):
            return _result(text)
        return _result(f"The schema has no {shortened(coordinate)}; find coordinates with search_schema.", failed=True)

    async def _execute(self, key: str, tool: DocumentTool, arguments: Mapping[str, Any]) -> CallToolResult:
        if unknown := tool.unknown_arguments(arguments):
            known = ", ".join(tool.input_schema["properties"]) or "none"
            return _result(f"Unknown argument {shortened(unknown[0])}; the arguments are: {known}.", failed=True)
        if tool.writes:
            return await self._preview(key, tool, arguments)
        return _answer(await self._client.execute(key, tool.document, tool.name, arguments))

    async def _preview(self, key: str, tool: DocumentTool, arguments: Mapping[str, Any]) -> CallToolResult:
        answer = await self._client.execute(key, tool.document, tool.name, {**arguments, DRY_RUN: True})
        if errors_of(answer):
            return _answer(answer)
        token = self._pending.add(tool, arguments, key)
        note = f"Nothing has been changed. To make this change, call confirm with the token within {SECONDS} seconds."
        return _result(as_text({"note": note, "confirmationToken": token, "preview": answer["data"]}))

    async def _confirm(self, key: str, token: str) -> CallToolResult:
        change = self._pending.take(token, key)
        if change is None:
            return _result("The token is unknown, used or expired; request a new preview.", failed=True)
        try:
            return _answer(await self._change(key, change))
        except ServerError as error:
            self._pending.put_back(token, change)
            note = (
                "It is unknown if the change was made; the token can be confirmed again, which makes it at most once."
            )
            return _result(f"{error} {note}", failed=True)

    async def _change(self, key: str, change: PendingChange) -> dict[str, Any]:
        given = {**change.variables, DRY_RUN: False, IDEMPOTENCY_KEY: change.idempotency_key}
        return await self._client.execute(key, change.tool.document, change.tool.name, given)


def _as_tool(tool: DocumentTool) -> Tool:
    description, hints = tool.description, _READS
    if tool.writes:
        description, hints = f"{description} Shows a preview, which `confirm` carries out.", _PREVIEWS
    return Tool(name=tool.name, description=description, input_schema=dict(tool.input_schema), annotations=hints)


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise MCPError(INVALID_PARAMS, f"The argument {name} must be a string.")
    return value


def _answer(body: dict[str, Any]) -> CallToolResult:
    """The answer of the server: data, and its errors if there are any. It has failed if no root field has a value."""
    errors, data = errors_of(body), body.get("data") or {}
    failed = bool(errors) and all(value is None for value in data.values())
    return _result(as_text({"data": data or None} | ({"errors": errors} if errors else {})), failed=failed)


def _result(text: str, *, failed: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=failed)
