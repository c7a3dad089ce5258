"""`python -m fullon_graphql.cli`, for environments without the console script."""

from fullon_graphql.cli import main

main()
