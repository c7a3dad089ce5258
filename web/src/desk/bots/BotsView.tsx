import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { Link } from "wouter";
import type { BotsQuery } from "../../gql/graphql";
import { useSession } from "../../ui/hooks";
import { money, percent, tone } from "../format";
import { Empty, Loading, MoreBelow, Panel, Problem, Table } from "../parts";
import { useRights } from "../rights";
import { nextPage } from "../rows";
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
  const mayWrite = useRights()?.mayWrite("bots") ?? false;
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
          <Table
            label="Bots"
            actions
            columns={[
              "Bot",
              admin && ["Owner", "optional"],
              "State",
              "Doing",
              ["Now", "number"],
              ["Open orders", "number"],
              ["Net profit", "number"],
              ["Closed", "number optional"],
              ["Wins", "number optional"],
              ["Accounts", "optional"],
            ]}
            below={
              <MoreBelow
                after={nextPage(data!.bots.pageInfo)}
                reached={() => void fetchMore({ variables: { after: data!.bots.pageInfo.endCursor } }).catch(() => undefined)}
              />
            }
          >
            {bots.map((bot) => (
              <BotRow key={bot.id} bot={bot} admin={admin} halted={trading.hasHalted(bot.botId)} onSwitch={mayWrite && (() => setSwitching(bot))} />
            ))}
          </Table>
        )}
      </Panel>
      {switching && <BotSwitch bot={switching} onClose={() => setSwitching(null)} />}
    </div>
  );
}

function BotRow({ bot, admin, halted, onSwitch }: { bot: Bot; admin: boolean; halted: boolean; onSwitch: false | (() => void) }) {
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
        {onSwitch && (
          <span className="cell-actions">
            <button type="button" onClick={onSwitch} aria-label={`${bot.active ? "Stop" : "Start"} ${bot.name}`}>
              {bot.active ? "Stop" : "Start"}
            </button>
          </span>
        )}
      </td>
    </tr>
  );
}
