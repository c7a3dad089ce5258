import { useQuery, useSubscription } from "@apollo/client/react";
import type { TickersQuery } from "../../gql/graphql";
import { learnTime } from "../../api/clock";
import { Tickers, TickerUpdates } from "./documents";

export type TickerRow = TickersQuery["tickers"][number];

/**
 * All tickers of an exchange, live.
 *
 * A query reads the list, a subscription every newer price. Both identify a ticker by exchange and symbol, so the cache
 * updates the list. Only a symbol that is not in the list makes the query run again.
 */
export function useTickers(exchange: string) {
  const { data, loading, error, refetch } = useQuery(Tickers, { variables: { exchange }, fetchPolicy: "cache-and-network" });
  const known = data?.tickers;
  useSubscription(TickerUpdates, {
    variables: { exchange },
    ignoreResults: true,
    onData: ({ data: { data } }) => {
      const fresh = data?.tickers ?? [];
      for (const { time, ageMs } of fresh) learnTime(time, ageMs);
      if (known && fresh.some(({ symbol }) => !known.some((one) => one.symbol === symbol))) void refetch();
    },
  });
  const tickers = known ? [...known].sort((one, other) => one.symbol.localeCompare(other.symbol)) : [];
  return { tickers, loading: loading && !known, error: known ? undefined : error, readAgain: () => void refetch() };
}
