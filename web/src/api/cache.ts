/** The normalised cache: the identity of objects, and how pages of a list are merged. */
import { InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";

/** `filter` and `orderBy` identify a list; `first` and `after` only select its pages. */
const pages = () => relayStylePagination(["filter", "orderBy"]);

/** A list without pages: a new one replaces the old one. */
const whole = { merge: false } as const;

export const createCache = () =>
  new InMemoryCache({
    typePolicies: {
      // Rows of PostgreSQL have an `id` that is unique in the graph, which is Apollo's default key.
      // Live objects are identified as in Redis. Candles, statistics and events are values without identity.
      Ticker: { keyFields: ["exchange", "symbol"] },
      Balance: { keyFields: ["exId", "currency"] },
      Position: { keyFields: ["exId", "symbol"] },
      BotStatus: { keyFields: ["botId", "feedNum"] },
      Service: { keyFields: ["name"] },
      Process: { keyFields: ["processId"] },
      Query: {
        fields: {
          orders: pages(),
          trades: pages(),
          dryTrades: pages(),
          botLogs: pages(),
          bots: pages(),
          sessions: pages(),
          auditLog: pages(),
          tickers: whole,
          processes: whole,
          services: whole,
        },
      },
      Bot: { fields: { status: whole } },
      Exchange: { fields: { balances: whole, positions: whole } },
    },
  });
