"""What a GraphQL type declares: columns, entities, relations and batches."""
