import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { Link } from "wouter";
import type { BotDetailQuery, StrategyFieldsFragment } from "../../gql/graphql";
import { fixed, moment, money, percent, tone, volume } from "../format";
import { OrderEvents, SymbolOrders } from "../market/documents";
import { Fills, Orders } from "../market/SymbolActivity";
import { Empty, Loading, MoreBelow, Panel, Problem, Table } from "../parts";
import { useRights } from "../rights";
import { nextPage, useRows } from "../rows";
import { BotSwitch } from "./BotSwitch";
import { BotDetail, BotLogs, BotTrades, DryTradeEvents, FilledOrders, LogEvents } from "./documents";
import { EditBot, EditStrategy } from "./edit";
import { Activity, Doing, Performance } from "./Status";
import { useStatus } from "./useStatus";
import { useTradingState } from "./useTradingState";

type Bot = NonNullable<BotDetailQuery["bot"]>;

const TABS = ["Orders", "Trades", "Logs", "Strategies"] as const;

export default function BotView({ botId }: { botId: number }) {
  const { data, loading, error, refetch } = useQuery(BotDetail, { variables: { botId }, fetchPolicy: "cache-and-network" });
  const bot = data?.bot;
  const [tab, setTab] = useState<(typeof TABS)[number]>("Orders");
  const [changing, setChanging] = useState<"switch" | "edit" | null>(null);
  useStatus(bot?.id, botId);
  const trading = useTradingState();
  const rights = useRights();
  const mayWrite = (entity: string) => rights?.mayWrite(entity) ?? false;
  if (loading && !data) return <Loading />;
  if (error && !bot) return <Problem error={error} retry={() => void refetch()} />;
  if (!bot) return <Empty>There is no such bot, or it belongs to another user.</Empty>;
  return (
    <div className="page fill">
      <div className="page-title">
        <Link href="/bots">Bots</Link>
        <h1>{bot.name}</h1>
        <span>
          <Activity active={bot.active} dryRun={bot.dryRun} halted={trading.hasHalted(botId)} />
        </span>
        {mayWrite("bots") && (
          <span className="actions">
            <button type="button" onClick={() => setChanging("edit")}>
              Edit
            </button>
            <button type="button" className={bot.active ? "danger" : "primary"} onClick={() => setChanging("switch")}>
              {bot.active ? "Stop" : "Start"}
            </button>
          </span>
        )}
      </div>
      <Tiles bot={bot} />
      <Panel
        title={
          <span className="tabs" role="group" aria-label="Show">
            {TABS.map((name) => (
              <button key={name} type="button" aria-pressed={name === tab} onClick={() => setTab(name)}>
                {name}
              </button>
            ))}
          </span>
        }
      >
        {tab === "Orders" && <BotOrders botId={botId} />}
        {tab === "Trades" && (bot.dryRun ? <DryTrades botId={botId} /> : <LiveTrades botId={botId} />)}
        {tab === "Logs" && <Logs botId={botId} />}
        {tab === "Strategies" && <Strategies bot={bot} mayWrite={mayWrite("strategies")} />}
      </Panel>
      {changing === "switch" && <BotSwitch bot={bot} onClose={() => setChanging(null)} />}
      {changing === "edit" && <EditBot bot={bot} onClose={() => setChanging(null)} />}
    </div>
  );
}

function Tiles({ bot }: { bot: Bot }) {
  const { month } = bot;
  return (
    <dl className="tiles">
      <div className="tile">
        <dt>Doing</dt>
        <dd>
          <Doing statuses={bot.status} />
        </dd>
      </div>
      <div className="tile">
        <dt>Result of what it holds</dt>
        <dd>
          <Performance statuses={bot.status} />
        </dd>
      </div>
      <div className="tile">
        <dt>Net profit, 30 days</dt>
        <dd className={tone(month.netProfit)}>
          {money(month.netProfit)} <small>{month.currency}</small>
        </dd>
      </div>
      <div className="tile">
        <dt>Closed trades</dt>
        <dd>
          {month.closedTrades} <small>{month.winRate === null ? "" : `${fixed(month.winRate * 100, 0)} % won`}</small>
        </dd>
      </div>
      <div className="tile">
        <dt>Profit factor</dt>
        <dd>{fixed(month.profitFactor, 2)}</dd>
      </div>
      <div className="tile">
        <dt>Fees</dt>
        <dd>{money(month.totalFees)}</dd>
      </div>
    </dl>
  );
}

function BotOrders({ botId }: { botId: number }) {
  const list = useRows({
    query: SymbolOrders,
    variables: { filter: { botId: { eq: botId } } },
    events: OrderEvents,
    position: ({ orderId }) => orderId,
  });
  return <Orders list={list} bots={false} symbols />;
}

function DryTrades({ botId }: { botId: number }) {
  const list = useRows({
    query: BotTrades,
    variables: { filter: { botId: { eq: botId } } },
    events: DryTradeEvents,
    position: ({ tradeId }) => tradeId,
  });
  return <Fills list={list} />;
}

function LiveTrades({ botId }: { botId: number }) {
  const { data, loading, error, fetchMore, refetch } = useQuery(FilledOrders, {
    variables: { botId },
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
    pollInterval: 15_000, // events of trades do not name the bot
  });
  const rows = data?.orders.edges.flatMap(({ node }) => [...node.trades].reverse()) ?? [];
  const readAgain = () => void refetch();
  const more = () => void fetchMore({ variables: { after: data?.orders.pageInfo.endCursor } }).catch(() => undefined);
  const after = nextPage(data?.orders.pageInfo);
  return <Fills list={{ rows, loading: loading && !data, error: data ? undefined : error, after, more, readAgain }} />;
}

function Logs({ botId }: { botId: number }) {
  const list = useRows({
    query: BotLogs,
    variables: { filter: { botId: { eq: botId } } },
    events: LogEvents,
    position: ({ timestamp }) => Date.parse(timestamp),
  });
  if (list.error) return <Problem error={list.error} retry={list.readAgain} />;
  if (list.loading) return <Loading />;
  if (!list.rows.length) return <Empty>It has not logged anything yet.</Empty>;
  return (
    <Table
      label="Logs"
      className="log"
      columns={["Time, UTC", "Instrument", ["Position", "number"], "Message"]}
      below={<MoreBelow after={list.after} reached={list.more} />}
    >
      {list.rows.map((line) => (
        <tr key={line.id}>
          <td className="muted">{moment(line.timestamp)}</td>
          <td>{line.symbol}</td>
          <td className={`number ${tone(line.position)}`}>{volume(line.position)}</td>
          <td>{line.message}</td>
        </tr>
      ))}
    </Table>
  );
}

function Strategies({ bot, mayWrite }: { bot: Bot; mayWrite: boolean }) {
  const [editing, setEditing] = useState<StrategyFieldsFragment | null>(null);
  if (!bot.strategies.length) return <Empty>It has no strategy.</Empty>;
  return (
    <Table
      label="Strategies"
      actions
      columns={[
        "Strategy",
        "Listens to",
        ["Take profit", "number"],
        ["Stop loss", "number"],
        ["Trailing", "number optional"],
        ["Size", "number optional"],
        ["Leverage", "number"],
      ]}
      below={editing && <EditStrategy strategy={editing} onClose={() => setEditing(null)} />}
    >
      {bot.strategies.map((strategy) => (
        <tr key={strategy.id}>
          <th scope="row">{strategy.catalog.name}</th>
          <td>
            {strategy.feeds.map(({ id, symbol, period, compression }) => (
              <span key={id}>
                <Link href={`/market/${symbol.exchangeName}/${encodeURIComponent(symbol.symbol)}`}>{symbol.symbol}</Link>{" "}
                <span className="muted">
                  {compression} {period.toLowerCase()}
                </span>{" "}
              </span>
            ))}
          </td>
          <td className="number">{percent(strategy.takeProfit)}</td>
          <td className="number">{percent(strategy.stopLoss)}</td>
          <td className="number optional">{percent(strategy.trailingStop)}</td>
          <td className="number optional">{percent(strategy.sizePct)}</td>
          <td className="number">{fixed(strategy.leverage, 1)} ×</td>
          <td>
            {mayWrite && (
              <span className="cell-actions">
                <button type="button" onClick={() => setEditing(strategy)}>
                  Edit
                </button>
              </span>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}
