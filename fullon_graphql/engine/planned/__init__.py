"""The planned execution: operations compiled to SQL and to writers of JSON."""
