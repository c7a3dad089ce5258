"""Identity: principals, passwords, tokens, one-time codes. Knows no web framework and no database."""
