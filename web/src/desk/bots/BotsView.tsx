import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { Link } from "wouter";
import type { BotsQuery } from "../../gql/graphql";
import { useSession } from "../../ui/hooks";
import { money, percent, tone } from "../format";
import { Empty, Loading, MoreBelow, Panel, Problem } from "../parts";
import { BotSwitch } from "./BotSwitch";
import { Bots } from "./documents";
import { Halts } from "./Halts";
import { Activity, Doing, Performance } from "./Status";
import { useStatus } from "./useStatus";
import { useTradingState } from "./useTradingState";

type Bot = BotsQuery["bots"]["edges"][number]["node"];

const PAGE = 25;

export default function BotsView() {
  const { data, loading, error, fetchMore, refetch } = useQuery(Bots, {
    variables: { first: PAGE },
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
  });
  const trading = useTradingState();
  const admin = useSession()?.admin ?? false;
  const bots = data?.bots.edges.map(({ node }) => node) ?? [];
  const [switching, setSwitching] = useState<Bot | null>(null);
  return (
    <div className="page">
      <div className="page-title">
        <h1>Bots</h1>
      </div>
      <Halts state={trading} />
      <Panel title={`${bots.length} bots`} extra={<span className="muted">results of the last 30 days</span>}>
        {error && !data ? (
          <Problem error={error} retry={() => void refetch()} />
        ) : loading && !data ? (
          <Loading />
        ) : !bots.length ? (
          <Empty>You have no bots yet.</Empty>
        ) : (
          <div className="scroll" tabIndex={0} role="region" aria-label="Bots">
            <table>
              <thead>
                <tr>
                  <th scope="col">Bot</th>
                  {admin && <th scope="col" className="optional">Owner</th>}
                  <th scope="col">State</th>
                  <th scope="col">Doing</th>
                  <th scope="col" className="number">Now</th>
                  <th scope="col" className="number">Open orders</th>
                  <th scope="col" className="number">Net profit</th>
                  <th scope="col" className="number optional">Closed</th>
                  <th scope="col" className="number optional">Wins</th>
                  <th scope="col" className="optional">Accounts</th>
                  <th scope="col">
                    <span className="unseen">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {bots.map((bot) => (
                  <BotRow key={bot.id} bot={bot} admin={admin} halted={trading.hasHalted(bot.botId)} onSwitch={() => setSwitching(bot)} />
                ))}
              </tbody>
            </table>
            <MoreBelow
              more={data!.bots.pageInfo.hasNextPage}
              reached={() => void fetchMore({ variables: { after: data!.bots.pageInfo.endCursor } }).catch(() => undefined)}
            />
          </div>
        )}
      </Panel>
      {switching && <BotSwitch bot={switching} onClose={() => setSwitching(null)} />}
    </div>
  );
}

function BotRow({ bot, admin, halted, onSwitch }: { bot: Bot; admin: boolean; halted: boolean; onSwitch(): void }) {
  useStatus(bot.id, bot.botId);
  return (
    <tr data-bot={bot.botId}>
      <th scope="row">
        <Link href={`/bots/${bot.botId}`}>{bot.name}</Link>
      </th>
      {admin && <td className="muted optional">{bot.user.mail}</td>}
      <td>
        <Activity active={bot.active} dryRun={bot.dryRun} halted={halted} />
      </td>
      <td>
        <Doing statuses={bot.status} />
      </td>
      <td className="number">
        <Performance statuses={bot.status} />
      </td>
      <td className="number">{bot.openOrders.totalCount}</td>
      <td className={`number ${tone(bot.month.netProfit)}`}>
        {money(bot.month.netProfit)} <span className="muted">{bot.month.currency}</span>
      </td>
      <td className="number optional">{bot.month.closedTrades}</td>
      <td className="number optional">{bot.month.winRate === null ? "–" : percent(bot.month.winRate * 100).replace("+", "")}</td>
      <td className="optional muted">{bot.exchanges.map(({ name }) => name).join(", ")}</td>
      <td>
        <span className="cell-actions">
          <button type="button" onClick={onSwitch} aria-label={`${bot.active ? "Stop" : "Start"} ${bot.name}`}>
            {bot.active ? "Stop" : "Start"}
          </button>
        </span>
      </td>
    </tr>
  );
}
