import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { currentTime } from "../../api/clock";
import type { EquityCurveQuery, PeriodResultsQuery, ResultPeriod } from "../../gql/graphql";
import { date, fixed, money, month, signed, tone } from "../format";
import { Empty, Loading, Panel, Problem, Table } from "../parts";
import { EquityCurve, OwnBots, PeriodResults } from "./documents";
import { Plot } from "./Plot";
import { everyPeriod } from "./results";

/** Milliseconds between two reads of results. */
const EVERY = 60_000;

/** The trades whose results are shown. */
interface Trades {
  uid: number;
  botId: number | null;
  kind: "LIVE" | "DRY";
  currency: string;
}

/** Results over time of all live trades of a user, or of the trades of one bot. */
export function Performance({ uid, currency }: { uid: number; currency: string }) {
  const bots = useQuery(OwnBots, { variables: { uid } }).data?.bots.nodes ?? [];
  const [botId, setBotId] = useState<number | null>(null);
  const [capital, setCapital] = useState(10_000);
  const bot = bots.find((one) => one.botId === botId);
  const trades: Trades = { uid, botId, kind: bot?.dryRun ? "DRY" : "LIVE", currency };
  return (
    <>
      <div className="page-title">
        <h2>Results</h2>
        <span className="actions fields">
          <label>
            Trades of
            <select value={botId ?? ""} onChange={({ target }) => setBotId(Number(target.value) || null)}>
              <option value="">all bots, live</option>
              {bots.map(({ id, botId, name, dryRun }) => (
                <option key={id} value={botId}>
                  {name}
                  {dryRun && " (simulated)"}
                </option>
              ))}
            </select>
          </label>
          <label>
            Capital
            <input
              type="number"
              min={1}
              step="any"
              defaultValue={capital}
              onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
              onBlur={({ target }) => (target.validity.valid && target.value ? setCapital(Number(target.value)) : (target.value = String(capital)))}
            />
          </label>
        </span>
      </div>
      <Equity trades={trades} capital={capital} />
      <Results trades={trades} />
    </>
  );
}

const SPANS = [
  { name: "7 d", days: 7, resolution: "H4" },
  { name: "30 d", days: 30, resolution: "D1" },
  { name: "90 d", days: 90, resolution: "D1" },
  { name: "1 y", days: 365, resolution: "D1" },
] as const;

function Equity({ trades, capital }: { trades: Trades; capital: number }) {
  const [span, setSpan] = useState<(typeof SPANS)[number]>(SPANS[2]);
  const { data, previousData, error, refetch } = useQuery(EquityCurve, {
    variables: { ...trades, days: span.days, resolution: span.resolution, capital },
    fetchPolicy: "cache-and-network",
    pollInterval: EVERY,
  });
  const curve = (data ?? previousData)?.equityCurve; // the last curve is shown until the next one is known
  return (
    <Panel
      title="Equity"
      extra={
        <span className="timeframes" role="group" aria-label="Period of the curve">
          {SPANS.map((one) => (
            <button key={one.name} type="button" aria-pressed={one === span} onClick={() => setSpan(one)}>
              {one.name}
            </button>
          ))}
        </span>
      }
    >
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !curve ? (
        <Loading rows={9} />
      ) : !curve.time.length ? (
        <Empty>There are no trades yet.</Empty>
      ) : curve.unpriced.length ? (
        <Empty>{`There is no price of ${curve.unpriced.join(", ")}.`}</Empty>
      ) : (
        <Curve curve={curve} hint={trades.botId === null ? "Choose a bot to compare with holding its coin." : "A bot of several instruments has no coin to compare with."} />
      )}
    </Panel>
  );
}

function Curve({ curve, hint }: { curve: EquityCurveQuery["equityCurve"]; hint: string }) {
  const [at, setAt] = useState<number | null>(null);
  const wide = matchMedia("(min-width: 900px)").matches;
  const place = Math.min(at ?? Infinity, curve.time.length - 1);
  const deepest = curve.drawdown.reduce<number>((best, fall, one) => ((fall ?? 0) > (curve.drawdown[best] ?? 0) ? one : best), 0);
  const fall = at === null ? deepest : place;
  const benchmark = curve.benchmarkProfit.some((value) => value !== null);
  const series = [
    { name: "Realised", values: curve.realizedProfit, kind: "area" as const },
    { name: "Equity", values: curve.equity, kind: "line" as const },
    ...(benchmark ? [{ name: "Held the coin", values: curve.benchmarkProfit, kind: "dashed" as const }] : []),
  ];
  return (
    <>
      <dl className="legend">
        {series.map(({ name, values, kind }) => (
          <div key={name} className={kind}>
            <dt>{name}</dt>
            <dd className={tone(values[place])}>{signed(values[place])}</dd>
          </div>
        ))}
        <div className="fall">
          <dt>{at === null ? "Deepest drawdown" : "Drawdown"}</dt>
          <dd>
            {money(curve.drawdown[fall])}{" "}
            <small>{curve.drawdownFraction[fall] != null && `${fixed(curve.drawdownFraction[fall] * 100, 1)} %`}</small>
          </dd>
        </div>
        <div className="when">
          <dt>{at === null ? "Newest bar" : "Bar"}</dt>
          <dd>{date(curve.time[place]!)}</dd>
        </div>
        {!benchmark && <p className="muted">{hint}</p>}
      </dl>
      <Plot wide={wide} times={curve.time} series={series} at={at} onAt={setAt} />
      <Plot
        wide={wide}
        low
        times={curve.time}
        series={[{ name: "Drawdown", values: curve.drawdown.map((value) => (value === null ? null : -value)), kind: "fall" }]}
        at={at}
        onAt={setAt}
      />
    </>
  );
}

const PERIODS = {
  DAY: { name: "Day", days: 30, label: date },
  WEEK: { name: "Week", days: 182, label: (time: number) => `from ${date(time)}` },
  MONTH: { name: "Month", days: 730, label: month },
} as const;

function Results({ trades }: { trades: Trades }) {
  const [period, setPeriod] = useState<ResultPeriod>("DAY");
  const { name, days } = PERIODS[period];
  const { data, error, refetch } = useQuery(PeriodResults, {
    variables: { ...trades, period, days },
    fetchPolicy: "cache-and-network",
    pollInterval: EVERY,
  });
  return (
    <Panel
      title={`Result of each ${name.toLowerCase()}`}
      extra={
        <span className="timeframes" role="group" aria-label="Period of the results">
          {(Object.keys(PERIODS) as ResultPeriod[]).map((one) => (
            <button key={one} type="button" aria-pressed={one === period} onClick={() => setPeriod(one)}>
              {PERIODS[one].name}
            </button>
          ))}
        </span>
      }
    >
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={6} />
      ) : (
        <Periods period={period} results={data.dailyResults} />
      )}
    </Panel>
  );
}

function Periods({ period, results: { groups, unpriced } }: { period: ResultPeriod; results: PeriodResultsQuery["dailyResults"] }) {
  const { name, label } = PERIODS[period];
  const rows = everyPeriod(period, groups[0], currentTime());
  if (!rows.length) return <Empty>There are no trades yet.</Empty>;
  if (unpriced.length) return <Empty>{`There is no price of ${unpriced.join(", ")}.`}</Empty>;
  const values = rows.map(({ netProfit }) => netProfit);
  return (
    <div className="results">
      <Plot times={rows.map(({ time }) => time)} series={[{ name: "Results", values, kind: "bars" }]} label={label} />
      <Table label="Results" columns={[name, ["Closed", "number"], ["Won", "number"], ["Fees", "number"], ["Net profit", "number"]]}>
        {rows.toReversed().map((row) => (
          <tr key={row.time}>
            <th scope="row">{label(row.time)}</th>
            <td className="number">{row.closedTrades}</td>
            <td className="number">{row.closedTrades ? `${fixed((row.winningTrades / row.closedTrades) * 100, 0)} %` : "–"}</td>
            <td className="number muted">{money(row.totalFees)}</td>
            <td className={`number ${tone(row.netProfit)}`}>{signed(row.netProfit)}</td>
          </tr>
        ))}
      </Table>
    </div>
  );
}
