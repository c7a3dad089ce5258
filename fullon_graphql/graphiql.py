"""What a browser gets at `/graphql`: Strawberry's GraphiQL, opened with operations that work in the demo."""

from __future__ import annotations

import json

from strawberry.http.ides import get_graphql_ide_html

OPERATIONS = """\
# The graph of the trading platform. The book at the left describes everything in it.
#
# 1. Run SignIn: put the cursor in it and press Ctrl-Enter. These are the mail and password of the demo.
# 2. Below, under Headers, write   {"Authorization": "Bearer <accessToken>"}
# 3. Run one of the others.

mutation SignIn {
  login(mail: "trader@fullon", password: "fullon-demo") {
    accessToken
    expiresAt
  }
}

query Overview {
  me {
    name
    bots(first: 3) {
      nodes {
        name
        orders(last: 3) {
          totalCount
          nodes { side volume symbol status ticker { price } }
        }
      }
    }
  }
}

subscription Prices {
  tickers(exchange: "kraken", maxRate: 2) {
    symbol
    price
    time
  }
}
"""
"""What stands in the editor at first."""

WAITING = "GraphiQL comes from unpkg.com. If this stays here, your browser does not reach it."

_EDITOR = "parameters.q || EXAMPLE_QUERY"
_LOADING = "Loading..."


def page() -> str:
    """The page, as HTML. Where it is given a query in its address (`?q=`), that stands in the editor instead."""
    html = get_graphql_ide_html(graphql_ide="graphiql")
    return html.replace(_EDITOR, f"parameters.q || {json.dumps(OPERATIONS)}").replace(_LOADING, WAITING)
