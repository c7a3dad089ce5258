"""The reference execution: request-scoped loaders behind graphql-core."""
