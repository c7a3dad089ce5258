import { type KeyboardEvent, memo, type ReactNode, useDeferredValue, useEffect, useRef, useState } from "react";
import { Icon } from "../../ui/Icon";
import { compact, fixed, percent, priceDecimals, tone } from "../format";
import { Age, Empty, Live, STALE, useSecond } from "../parts";
import type { TickerRow } from "./useTickers";

interface Props {
  exchange: string;
  exchanges: string[];
  tickers: TickerRow[];
  chosen: string | undefined;
  /** Shown instead of an empty table. */
  state: ReactNode;
  onExchange(name: string): void;
  onChoose(symbol: string): void;
}

export function TickerTable({ exchange, exchanges, tickers, chosen, state, onExchange, onChoose }: Props) {
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim().toUpperCase());
  const shown = tickers.filter(({ symbol }) => symbol.toUpperCase().includes(wanted));
  const field = useRef<HTMLInputElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const now = useSecond();

  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent) => {
      if (event.key !== "/" || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);

  /** The keys up and down select instruments, in the search field too. */
  function walk(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !shown.length) return;
    event.preventDefault();
    const rows = [...(table.current?.querySelectorAll<HTMLButtonElement>("button.symbol") ?? [])];
    const place = rows.indexOf(document.activeElement as HTMLButtonElement);
    rows[Math.min(Math.max(place + step, 0), rows.length - 1)]?.focus();
  }

  return (
    <section className="panel tickers" aria-label="Prices" onKeyDown={walk}>
      <header>
        <select aria-label="Exchange" value={exchange} onChange={(event) => onExchange(event.target.value)}>
          {(exchanges.length ? exchanges : [exchange]).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <label className="search">
          <Icon name="search" />
          <input
            ref={field}
            type="search"
            placeholder="Search ( / )"
            aria-label="Search instruments"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
            onKeyDown={(event) => event.key === "Enter" && shown[0] && onChoose(shown[0].symbol)}
          />
        </label>
      </header>
      {state ?? (
        <div className="scroll">
          <table ref={table}>
            <thead>
              <tr>
                <th scope="col">Instrument</th>
                <th scope="col" className="number">
                  Price
                </th>
                <th scope="col" className="number">
                  24 h
                </th>
                <th scope="col" className="number optional">
                  Volume
                </th>
                <th scope="col" className="number">
                  Age
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((ticker) => (
                <Row
                  key={ticker.symbol}
                  ticker={ticker}
                  chosen={ticker.symbol === chosen}
                  now={now}
                  onChoose={onChoose}
                />
              ))}
            </tbody>
          </table>
          {!shown.length && <Empty>{tickers.length ? "No instrument is called so." : "This exchange has no prices yet."}</Empty>}
        </div>
      )}
    </section>
  );
}

interface RowProps {
  ticker: TickerRow;
  chosen: boolean;
  now: number;
  onChoose(symbol: string): void;
}

const Row = memo(function Row({ ticker, chosen, now, onChoose }: RowProps) {
  const decimals = Math.min(ticker.instrument?.decimals ?? 8, priceDecimals(ticker.price));
  const stale = now - Date.parse(ticker.time) / 1000 > STALE;
  return (
    <tr className={`${chosen ? "chosen" : ""} ${stale ? "is-stale" : ""}`} onClick={() => onChoose(ticker.symbol)}>
      <th scope="row">
        <button type="button" className="symbol" aria-current={chosen || undefined} onClick={() => onChoose(ticker.symbol)}>
          {ticker.symbol}
        </button>
      </th>
      <td className="number price" data-symbol={ticker.symbol}>
        <Live value={ticker.price}>{fixed(ticker.price, decimals)}</Live>
      </td>
      <td className={`number ${tone(ticker.percentage)}`}>{percent(ticker.percentage)}</td>
      <td className="number optional muted">{compact(ticker.volume)}</td>
      <td className="number age">
        <Age time={ticker.time} now={now} />
      </td>
    </tr>
  );
}, sameRow);

/** A row is rendered again when its ticker or its displayed age changes. */
function sameRow(before: RowProps, after: RowProps): boolean {
  return before.ticker === after.ticker && before.chosen === after.chosen && before.now === after.now;
}
