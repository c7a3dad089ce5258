"""The GraphQL types: one file per entity, columns and relations declared once, a description on everything."""
