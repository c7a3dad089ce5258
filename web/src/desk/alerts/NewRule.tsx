import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { AlertCondition, AlertDirection, CreateAlertInput } from "../../gql/graphql";
import { Change } from "../Change";
import { Exchanges, Tickers } from "../market/documents";
import { OwnBots } from "../portfolio/documents";
import type { Rights } from "../rights";
import { inWords } from "./condition";
import { AlertRules, CreateAlert } from "./documents";

const CONDITIONS: Partial<Record<AlertCondition, string>> = {
  PRICE_CROSSES: "a price is reached",
  CHANGE_PERCENT: "a price changes",
  FEED_STALE: "a feed is stale",
  DRAWDOWN: "a bot loses",
  ORDER_STATE: "an order changes",
};
const FOR_ADMINISTRATORS: Partial<Record<AlertCondition, string>> = { SERVICE_FAILED: "a service fails" };

const ON_INSTRUMENT = new Set<AlertCondition>(["PRICE_CROSSES", "CHANGE_PERCENT", "FEED_STALE"]);
const DIRECTIONS: Record<AlertDirection, string> = { ANY: "either way", ABOVE: "upwards", BELOW: "downwards" };
const UNITS: Partial<Record<AlertCondition, string>> = {
  PRICE_CROSSES: "Price",
  CHANGE_PERCENT: "Change, %",
  FEED_STALE: "Older than, seconds",
  DRAWDOWN: "Drawdown, %",
};
const USUAL: Partial<Record<AlertCondition, number>> = { CHANGE_PERCENT: 5, FEED_STALE: 60, DRAWDOWN: 10 };
const STATUSES = ["filled", "partially_filled", "canceled", "rejected"];

/** The dialog that creates a rule. Its preview has the condition in words. */
export function NewRule({ rights, onClose }: { rights: Rights; onClose(): void }) {
  const [condition, setCondition] = useState<AlertCondition>("PRICE_CROSSES");
  const [exchange, setExchange] = useState("kraken");
  const [symbol, setSymbol] = useState<string | null>(null);
  const [direction, setDirection] = useState<AlertDirection>("ANY");
  const [threshold, setThreshold] = useState<string | null>(null);
  const [minutes, setMinutes] = useState("10");
  const [botId, setBotId] = useState<number | null>(null);
  const [capital, setCapital] = useState("10000");
  const [statuses, setStatuses] = useState(["filled"]);
  const [name, setName] = useState("");
  const [once, setOnce] = useState(false);
  const exchanges = useQuery(Exchanges).data?.catExchanges ?? [];
  const tickers = useQuery(Tickers, { variables: { exchange } }).data?.tickers ?? [];
  const bots = useQuery(OwnBots, { variables: { uid: rights.uid } }).data?.bots.nodes ?? [];

  const ticker = tickers.find((one) => one.symbol === symbol) ?? tickers[0];
  const onInstrument = ON_INSTRUMENT.has(condition);
  const usual = condition === "PRICE_CROSSES" ? ticker?.price : USUAL[condition];
  const value = threshold ?? String(usual ?? "");
  const bot = botId ?? (condition === "DRAWDOWN" ? bots[0]?.botId : undefined);
  const input: CreateAlertInput = {
    name: name.trim() || suggestedName(),
    condition,
    once,
    ...(onInstrument && { exchange, symbol: ticker?.symbol }),
    ...(UNITS[condition] && { threshold: value === "" ? null : Number(value) }),
    ...((condition === "PRICE_CROSSES" || condition === "CHANGE_PERCENT") && { direction }),
    ...(condition === "CHANGE_PERCENT" && { windowSeconds: Math.round(Number(minutes) * 60) }),
    ...(condition === "DRAWDOWN" && { botId: bot, currency: "USD", capital: Number(capital) }),
    ...(condition === "ORDER_STATE" && { statuses, botId }),
  };

  function suggestedName(): string {
    if (onInstrument) return `${ticker?.symbol ?? exchange}: ${CONDITIONS[condition]}`;
    return bots.find((one) => one.botId === bot)?.name ?? CONDITIONS[condition] ?? FOR_ADMINISTRATORS[condition]!;
  }

  function choose(next: AlertCondition) {
    setCondition(next);
    setThreshold(null);
  }

  return (
    <Change
      title="New rule"
      confirm="Create"
      mutation={CreateAlert}
      input={{ input }}
      before={{}}
      after={({ createAlert }) => ({ "alert when": inWords(createAlert) })}
      lists={[AlertRules]}
      onClose={onClose}
    >
      <label>
        When
        <select value={condition} onChange={({ target }) => choose(target.value as AlertCondition)}>
          {Object.entries({ ...CONDITIONS, ...(rights.admin ? FOR_ADMINISTRATORS : {}) }).map(([one, title]) => (
            <option key={one} value={one}>
              {title}
            </option>
          ))}
        </select>
      </label>
      {onInstrument && (
        <div className="pair">
          <label>
            Exchange
            <select value={exchange} onChange={({ target }) => setExchange(target.value)}>
              {exchanges.map(({ id, name }) => (
                <option key={id}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            Instrument
            <select value={ticker?.symbol} onChange={({ target }) => setSymbol(target.value)}>
              {tickers.map((one) => (
                <option key={one.symbol}>{one.symbol}</option>
              ))}
            </select>
          </label>
        </div>
      )}
      {(condition === "DRAWDOWN" || condition === "ORDER_STATE") && (
        <label>
          Bot
          <select value={bot ?? ""} onChange={({ target }) => setBotId(Number(target.value) || null)}>
            {condition === "ORDER_STATE" && <option value="">all bots</option>}
            {bots.map(({ id, botId, name }) => (
              <option key={id} value={botId}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {UNITS[condition] && (
        <div className="pair">
          <label>
            {UNITS[condition]}
            <input type="number" step="any" value={value} onChange={({ target }) => setThreshold(target.value)} required />
          </label>
          {condition === "CHANGE_PERCENT" && (
            <label>
              Within, minutes
              <input type="number" step="any" min={0} value={minutes} onChange={({ target }) => setMinutes(target.value)} required />
            </label>
          )}
          {condition === "DRAWDOWN" && (
            <label>
              Capital, USD
              <input type="number" step="any" min={0} value={capital} onChange={({ target }) => setCapital(target.value)} required />
            </label>
          )}
          {(condition === "PRICE_CROSSES" || condition === "CHANGE_PERCENT") && (
            <label>
              Direction
              <select value={direction} onChange={({ target }) => setDirection(target.value as AlertDirection)}>
                {Object.entries(DIRECTIONS).map(([one, title]) => (
                  <option key={one} value={one}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
      )}
      {condition === "ORDER_STATE" && (
        <fieldset>
          <legend>Becomes</legend>
          {STATUSES.map((status) => (
            <label key={status} className="check">
              <input
                type="checkbox"
                checked={statuses.includes(status)}
                onChange={({ target }) => setStatuses(STATUSES.filter((one) => (one === status ? target.checked : statuses.includes(one))))}
              />
              {status.replace("_", " ")}
            </label>
          ))}
        </fieldset>
      )}
      <label>
        Name
        <input value={name} placeholder={suggestedName()} onChange={({ target }) => setName(target.value)} />
      </label>
      <label className="check">
        <input type="checkbox" checked={once} onChange={({ target }) => setOnce(target.checked)} />
        Only once
      </label>
    </Change>
  );
}
