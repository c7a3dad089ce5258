import { useEffect, useReducer, useRef, useState } from "react";
import type { Timeframe } from "../../gql/graphql";
import { useTheme } from "../../ui/hooks";
import { Icon } from "../../ui/Icon";
import { fixed, moment, percent, priceDecimals, tone } from "../format";
import { Live, Loading, Problem } from "../parts";
import type { Bar } from "./bars";
import { CandleChart } from "./chart";
import { TIMEFRAMES } from "./timeframes";
import { useCandles } from "./useCandles";
import type { Activity } from "./useSymbolActivity";
import type { TickerRow } from "./useTickers";

const KEY = "fullon.timeframe";

interface Props {
  exchange: string;
  symbol: string;
  ticker: TickerRow | undefined;
  activity: Activity;
  onBack(): void;
}

export default function ChartPanel({ exchange, symbol, ticker, activity, onBack }: Props) {
  const [timeframe, setTimeframe] = useState<Timeframe>(() => (localStorage.getItem(KEY) as Timeframe | null) ?? "M5");
  return (
    <section className="panel chart-panel" aria-label={`Chart of ${symbol}`}>
      <header>
        <button type="button" className="icon-button back" onClick={onBack} aria-label="Back to the prices">
          <Icon name="back" />
        </button>
        <h2>
          {symbol} <span className="muted">{exchange}</span>
        </h2>
        {ticker && <Quote ticker={ticker} />}
        <div className="timeframes" role="group" aria-label="Timeframe">
          {TIMEFRAMES.map(({ name, label }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === timeframe}
              onClick={() => {
                localStorage.setItem(KEY, name);
                setTimeframe(name);
              }}
            >
              {label}
            </button>
          ))}
        </div>
      </header>
      <Chart key={timeframe} exchange={exchange} symbol={symbol} timeframe={timeframe} ticker={ticker} activity={activity} />
    </section>
  );
}

function Quote({ ticker }: { ticker: TickerRow }) {
  const decimals = decimalsOf(ticker);
  return (
    <dl className="quote">
      <div className="quote-last">
        <dt>Last</dt>
        <dd className={tone(ticker.percentage)}>
          <Live value={ticker.price}>{fixed(ticker.price, decimals)}</Live>
        </dd>
      </div>
      <div>
        <dt>24 h</dt>
        <dd className={tone(ticker.percentage)}>{percent(ticker.percentage)}</dd>
      </div>
      <div className="optional">
        <dt>Bid</dt>
        <dd>{fixed(ticker.bid, decimals)}</dd>
      </div>
      <div className="optional">
        <dt>Ask</dt>
        <dd>{fixed(ticker.ask, decimals)}</dd>
      </div>
      <div className="optional">
        <dt>Spread</dt>
        <dd>{fixed(ticker.spread, decimals)}</dd>
      </div>
    </dl>
  );
}

const decimalsOf = (ticker: TickerRow): number =>
  Math.min(ticker.instrument?.decimals ?? 8, priceDecimals(ticker.price));

interface ChartProps {
  exchange: string;
  symbol: string;
  timeframe: Timeframe;
  ticker: TickerRow | undefined;
  activity: Activity;
}

function Chart({ exchange, symbol, timeframe, ticker, activity }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<CandleChart | null>(null);
  const theme = useTheme();
  const [, showBars] = useReducer((changes: number) => changes + 1, 0);
  const { bars, state, loadOlder, retry } = useCandles(exchange, symbol, timeframe, {
    onAll: () => {
      chart.current?.drawAll();
      showBars();
    },
    onLast: (bar, before) => {
      chart.current?.drawLast(bar, before);
      showBars();
    },
  });
  const { fills, waiting } = activity;
  const ready = state === "ready" && bars.all.length > 0;
  const decimals = ticker ? decimalsOf(ticker) : priceDecimals(bars.last?.close ?? 1);
  const older = useRef(loadOlder);
  older.current = loadOlder;

  useEffect(() => {
    if (!ready || !place.current) return undefined;
    const seconds = TIMEFRAMES.find(({ name }) => name === timeframe)!.seconds;
    const drawn = new CandleChart(place.current, bars, seconds, decimals, () => older.current());
    drawn.showNewest();
    chart.current = drawn;
    return () => {
      chart.current = null;
      drawn.destroy();
    };
    // The precision of the first price is kept: a new chart would lose the scroll position.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [ready, bars, timeframe]);

  const painted = useRef(theme);
  useEffect(() => {
    if (painted.current !== theme) chart.current?.paint();
    painted.current = theme;
  }, [theme]);
  useEffect(() => chart.current?.showFills(fills), [fills, ready]);
  useEffect(() => chart.current?.showOrders(waiting), [waiting, ready]);

  return (
    <div className="chart">
      <div ref={place} className="chart-place" aria-hidden="true" />
      {state === "loading" && <Loading rows={3} />}
      {state instanceof Error && <Problem error={state} retry={retry} />}
      {state === "ready" && !bars.all.length && <p className="state">There are no candles of this instrument yet.</p>}
      <p className="attribution">
        Charts by <a href="https://www.tradingview.com/" rel="noreferrer">TradingView</a>
      </p>
      {ready && <NewestBars bars={bars.all} decimals={decimals} />}
    </div>
  );
}

/** The newest bars as a table, and how many the chart has, for screen readers. */
function NewestBars({ bars, decimals }: { bars: readonly Bar[]; decimals: number }) {
  const first = bars[0]!.time;
  return (
    <table className="unseen" aria-label="Newest bars">
      <caption data-bars={bars.length} data-first={first}>
        The chart has {bars.length} bars since {moment(new Date(first * 1000).toISOString())}.
      </caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Open</th>
          <th scope="col">High</th>
          <th scope="col">Low</th>
          <th scope="col">Close</th>
          <th scope="col">Volume</th>
        </tr>
      </thead>
      <tbody>
        {bars.slice(-10).map((bar) => (
          <tr key={bar.time} data-time={bar.time}>
            <th scope="row">{moment(new Date(bar.time * 1000).toISOString())}</th>
            <td>{fixed(bar.open, decimals)}</td>
            <td>{fixed(bar.high, decimals)}</td>
            <td>{fixed(bar.low, decimals)}</td>
            <td>{fixed(bar.close, decimals)}</td>
            <td>{bar.volume}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
