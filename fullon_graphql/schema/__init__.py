"""The GraphQL types: one file per entity, with its columns, relations, inputs and events; no I/O."""
