import { useApolloClient } from "@apollo/client/react";
import { useEffect, useRef, useState } from "react";
import type { Timeframe } from "../../gql/graphql";
import { type Bar, Bars, fromColumns } from "./bars";
import { Candles, CandleUpdates } from "./documents";

/** Number of bars in one request for history. */
const PAGE = 500;

interface Sink {
  /** All bars have changed, or older ones were added. */
  onAll(): void;
  /** The newest bar has changed, or a newer one was added; `before` is the previous newest. */
  onLast(bar: Bar, before: Bar | undefined): void;
}

type State = "loading" | "ready" | Error;

/**
 * The bars of an instrument: history first, then the stream from the last bar, without a gap between them. After a
 * broken connection the stream resumes from the last closed bar, also without a gap.
 */
export function useCandles(exchange: string, symbol: string, timeframe: Timeframe, sink: Sink) {
  const client = useApolloClient();
  const [bars] = useState(() => new Bars());
  const [state, setState] = useState<State>("loading");
  const [attempt, setAttempt] = useState(0);
  const current = useRef(sink);
  current.current = sink;
  const complete = useRef(false);
  const fetching = useRef(false);

  useEffect(() => {
    let ended = false;
    let stream: { unsubscribe(): void } | undefined;
    // Without `to` the newest bars are returned.
    const history = client.query({ query: Candles, variables: { exchange, symbol, timeframe, last: PAGE }, fetchPolicy: "no-cache" });
    history.then(
      ({ data, error }) => {
        if (ended) return;
        if (!data) return setState(error ?? new Error("There are no candles."));
        bars.prepend(fromColumns(data.candleColumns));
        complete.current = data.candleColumns.time.length < PAGE;
        setState("ready");
        current.current.onAll();
        stream = client
          .subscribe({
            query: CandleUpdates,
            variables: { exchange, symbol, timeframe, from: bars.last && new Date(bars.last.time * 1000).toISOString() },
            fetchPolicy: "no-cache",
            context: { resume: ({ candles }) => (candles.closed ? { from: candles.candle.time } : undefined) },
          })
          .subscribe({
            next: ({ data }) => data && take(data.candles.candle),
            error: (error: Error) => setState(error),
          });
      },
      (error: Error) => !ended && setState(error),
    );
    return () => {
      ended = true;
      stream?.unsubscribe();
    };
    function take(candle: { time: string } & Omit<Bar, "time">) {
      const { open, high, low, close, volume } = candle;
      const bar = { time: Date.parse(candle.time) / 1000, open, high, low, close, volume };
      const before = bars.last;
      if (bars.put(bar)) current.current.onLast(bar, before);
      else current.current.onAll();
    }
  }, [client, exchange, symbol, timeframe, bars, attempt]);

  /** Load the page of bars before the first one. */
  function loadOlder() {
    const first = bars.first;
    if (!first || fetching.current || complete.current) return;
    fetching.current = true;
    const to = new Date(first.time * 1000).toISOString();
    client
      .query({ query: Candles, variables: { exchange, symbol, timeframe, to, last: PAGE }, fetchPolicy: "no-cache" })
      .then(({ data }) => {
        if (!data) return;
        complete.current = data.candleColumns.time.length < PAGE;
        bars.prepend(fromColumns(data.candleColumns));
        current.current.onAll();
      })
      .catch(() => undefined) // further scrolling tries again
      .finally(() => (fetching.current = false));
  }

  return { bars, state, loadOlder, retry: () => { setState("loading"); setAttempt(attempt + 1); } };
}
