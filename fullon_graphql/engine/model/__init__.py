"""Declarations of GraphQL types: columns, entities, relations and batches."""
