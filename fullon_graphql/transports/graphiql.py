"""What a browser gets at `/graphql`: Strawberry's GraphiQL, opened with operations that work in the demo."""

from __future__ import annotations

import json

from strawberry.http.ides import get_graphql_ide_html

OPERATIONS = """\
# The graph of the trading platform.
# The book at the left describes all of it.
#
# 1. Run SignIn, with mail and password of the demo:
#    put the cursor in it and press Ctrl-Enter.
# 2. Below, under Headers, write
#    {"Authorization": "Bearer <accessToken>"}
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

_TALKING = "const fetcher = "
_ASKING = """\
// A socket that is refused is opened again for most of a minute, and then nothing but its code is shown.
      // So who may not listen is told over HTTP, before there is a socket.
      const fetcher = async (params, options) => {
        const document = options?.documentAST;
        const operation = document && GraphiQL.GraphQL.getOperationAST(document, params.operationName);
        if (operation?.operation === "subscription") {
          const answer = await fetch(fetchURL, {
            method: "POST",
            headers: { ...defaultHeaders, ...options.headers, "content-type": "application/json" },
            body: JSON.stringify({ query: "{ me { uid } }" }),
          });
          const { errors } = await answer.json();
          if (errors) return { errors: errors.map(({ message, extensions }) => ({ message, extensions })) };
        }
        return talk(params, options);
      };

      const talk = """

_EDITOR = "parameters.q || EXAMPLE_QUERY"
_LOADING = "Loading..."


def page() -> str:
    """The page, as HTML. Where it is given a query in its address (`?q=`), that stands in the editor instead."""
    html = get_graphql_ide_html(graphql_ide="graphiql")
    html = html.replace(_EDITOR, f"parameters.q || {json.dumps(OPERATIONS)}")
    return html.replace(_TALKING, _ASKING).replace(_LOADING, WAITING)
