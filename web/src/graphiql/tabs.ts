/** The first tab of GraphiQL. */
const OVERVIEW = `# Sign in above, then run this with Ctrl-Enter.
# The panel at the left has more examples.

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
`;

const PRICES = `subscription Prices {
  tickers(exchange: "kraken", maxRate: 2) { symbol price time }
}
`;

export const defaultTabs = [{ query: OVERVIEW }, { query: PRICES }];
