/** The normalised cache: the identity of objects, and how pages of a list are merged. */
import { type FieldMergeFunction, type FieldPolicy, InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";

/**
 * `filter` and `orderBy` identify a list; `first` and `after` only select its pages. The list keeps the `cursor` of its
 * first page: the stream after it has every change that is not in one of the pages.
 */
const pages = (): FieldPolicy => {
  const policy = relayStylePagination(["filter", "orderBy"]) as FieldPolicy;
  const merge = policy.merge as FieldMergeFunction;
  return {
    ...policy,
    merge: (before, page, options) => {
      const merged = merge(before, page, options);
      return options.args?.after && before?.cursor ? { ...merged, cursor: before.cursor } : merged;
    },
  };
};

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
          alertEvents: pages(),
          tickers: whole,
          processes: whole,
          services: whole,
        },
      },
      Bot: { fields: { status: whole } },
      Exchange: { fields: { balances: whole, positions: whole } },
    },
  });
