/** The normalised cache: what makes two objects the same, and how pages of a list are put together. */
import { InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";

/** A list is another one when it is filtered or ordered otherwise; `first` and `after` only name its pages. */
const pages = () => relayStylePagination(["filter", "orderBy"]);

/** A list that comes whole: the new one takes the old one's place. */
const whole = { merge: false } as const;

export const createCache = () =>
  new InMemoryCache({
    typePolicies: {
      // Rows of PostgreSQL have an `id` of their own in the whole graph, which is Apollo's default key.
      // Live objects have what names them in Redis. Candles, statistics and events are values without identity.
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
