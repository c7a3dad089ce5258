import { useQuery } from "@apollo/client/react";
import { lazy, Suspense, useEffect } from "react";
import { useLocation } from "wouter";
import { Empty, Loading, Problem } from "../parts";
import { Exchanges } from "./documents";
import { SymbolActivity } from "./SymbolActivity";
import { TickerTable } from "./TickerTable";
import { useSymbolActivity } from "./useSymbolActivity";
import { type TickerRow, useTickers } from "./useTickers";

const ChartPanel = lazy(() => import("./ChartPanel"));

const KEY = "fullon.exchange";

export const marketPath = (exchange: string, symbol: string): string => `/market/${exchange}/${encodeURIComponent(symbol)}`;

/** Prices of an exchange at the left; at the right the chart of one instrument and its orders. */
export function MarketView({ exchange: given, symbol }: { exchange?: string; symbol?: string }) {
  const { data, error, refetch } = useQuery(Exchanges);
  const exchanges = data?.catExchanges.map(({ name }) => name) ?? [];
  const remembered = localStorage.getItem(KEY) ?? "kraken";
  const exchange = given ?? (exchanges.includes(remembered) ? remembered : (exchanges[0] ?? remembered));
  if (error && !data) return <Problem error={error} retry={() => void refetch()} />;
  return <Exchange key={exchange} exchange={exchange} exchanges={exchanges} symbol={symbol} />;
}

function Exchange({ exchange, exchanges, symbol }: { exchange: string; exchanges: string[]; symbol?: string }) {
  const [, navigate] = useLocation();
  const { tickers, loading, error, readAgain } = useTickers(exchange);
  useEffect(() => localStorage.setItem(KEY, exchange), [exchange]);
  // A wide screen shows a chart beside the prices; a phone shows the prices first.
  const wide = matchMedia("(min-width: 900px)").matches;
  const shown = symbol ?? (wide ? tickers[0]?.symbol : undefined);
  const ticker = tickers.find((one) => one.symbol === shown);
  return (
    <div className={`market ${symbol ? "has-choice" : ""}`}>
      <TickerTable
        exchange={exchange}
        exchanges={exchanges}
        tickers={tickers}
        chosen={shown}
        state={error ? <Problem error={error} retry={readAgain} /> : loading ? <Loading /> : null}
        onExchange={(name) => navigate(`/market/${name}`)}
        onChoose={(name) => navigate(marketPath(exchange, name))}
      />
      {shown ? (
        <Instrument
          key={`${exchange} ${shown}`}
          exchange={exchange}
          symbol={shown}
          ticker={ticker}
          onBack={() => navigate(`/market/${exchange}`)}
        />
      ) : (
        <div className="instrument">{!loading && <Empty>Choose an instrument.</Empty>}</div>
      )}
    </div>
  );
}

interface InstrumentProps {
  exchange: string;
  symbol: string;
  ticker: TickerRow | undefined;
  onBack(): void;
}

function Instrument({ exchange, symbol, ticker, onBack }: InstrumentProps) {
  const activity = useSymbolActivity(exchange, symbol);
  return (
    <div className="instrument">
      <Suspense fallback={<section className="panel chart-panel" aria-busy="true" />}>
        <ChartPanel exchange={exchange} symbol={symbol} ticker={ticker} activity={activity} onBack={onBack} />
      </Suspense>
      <SymbolActivity activity={activity} />
    </div>
  );
}
