"""`python -m fullon_graphql.cli`, where the console script is not installed."""

from fullon_graphql.cli import main

main()
