"""The roots of queries and mutations: one file per entity; each unpacks arguments, calls a service and wraps."""
