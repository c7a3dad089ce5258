"""Tools for agents over the Model Context Protocol (MCP): `fullon-graphql mcp`, with the extra `mcp`.

The process is a client of a running server: it sends trusted documents over HTTP with the API key of the caller, so
that access rules, limits and the audit log apply as to every client.
"""
