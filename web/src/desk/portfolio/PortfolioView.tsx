import { useQuery, useSubscription } from "@apollo/client/react";
import { useMemo } from "react";
import { Link } from "wouter";
import { graphql } from "../../gql";
import type { AccountsQuery, WorthQuery } from "../../gql/graphql";
import { fixed, money, price, signed, tone, volume } from "../format";
import { Badge, Empty, Live, Loading, Panel, Problem, Table } from "../parts";
import { Accounts, BalanceHistory, BalanceUpdates, PositionUpdates, Worth } from "./documents";
import { Performance } from "./Performance";
import { Plot } from "./Plot";
import { equity } from "./results";

type Account = NonNullable<AccountsQuery["exchanges"]["nodes"]>[number];

const CURRENCY = "USD";
const DAYS = 30;

export default function PortfolioView({ uid }: { uid: number }) {
  const accounts = useQuery(Accounts, { variables: { uid }, fetchPolicy: "cache-and-network" });
  const worth = useQuery(Worth, { variables: { uid, currency: CURRENCY }, fetchPolicy: "cache-and-network", pollInterval: 10_000 });
  const list = accounts.data?.exchanges.nodes ?? [];
  if (accounts.error && !accounts.data) return <Problem error={accounts.error} retry={() => void accounts.refetch()} />;
  if (!accounts.data) return <Loading />;
  if (!list.length) return <Empty>You have no exchange accounts yet.</Empty>;
  return (
    <div className="page">
      <div className="page-title">
        <h1>Portfolio</h1>
        <span className="muted">in {CURRENCY}</span>
      </div>
      <Summary accounts={list} worth={worth.data} />
      <Performance uid={uid} currency={CURRENCY} />
      <div className="page-title">
        <h2>Accounts</h2>
      </div>
      <div className="columns">
        <Positions accounts={list} />
        <div className="stack">
          <Allocation worth={worth.data} error={worth.data ? undefined : worth.error} />
          <BalanceCurve uid={uid} />
        </div>
      </div>
      <Balances accounts={list} />
      {list
        .filter(({ active }) => active)
        .map((account) => (
          <Follow key={account.id} account={account} />
        ))}
    </div>
  );
}

const BalancesOfAccount = graphql(`
  fragment BalancesOfAccount on Exchange {
    balances {
      ...BalanceFields
    }
  }
`);
const PositionsOfAccount = graphql(`
  fragment PositionsOfAccount on Exchange {
    positions {
      ...PositionFields
    }
  }
`);

/** Keeps an account's balances and positions up to date in the cache, which the views above show. */
function Follow({ account: { id, exId } }: { account: Account }) {
  useSubscription(BalanceUpdates, {
    variables: { exId },
    ignoreResults: true,
    onData: ({ client: { cache }, data: { data } }) =>
      data &&
      cache.writeFragment({
        id: cache.identify({ __typename: "Exchange", id }),
        fragment: BalancesOfAccount,
        fragmentName: "BalancesOfAccount",
        data: { __typename: "Exchange", balances: data.balances } as never,
      }),
  });
  useSubscription(PositionUpdates, {
    variables: { exId },
    ignoreResults: true,
    onData: ({ client: { cache }, data: { data } }) =>
      data &&
      cache.writeFragment({
        id: cache.identify({ __typename: "Exchange", id }),
        fragment: PositionsOfAccount,
        fragmentName: "PositionsOfAccount",
        data: { __typename: "Exchange", positions: data.positions } as never,
      }),
  });
  return null;
}

function Summary({ accounts, worth }: { accounts: Account[]; worth: WorthQuery | undefined }) {
  const gains = accounts.flatMap(({ positions }) => positions.map(({ unrealizedPnl }) => unrealizedPnl));
  const unrealized = gains.some((gain) => gain !== null) ? gains.reduce<number>((sum, gain) => sum + (gain ?? 0), 0) : null;
  const stats = worth?.portfolioStats;
  const month = worth?.performanceMetrics;
  return (
    <dl className="tiles">
      <div className="tile">
        <dt>Value</dt>
        <dd>
          <Live value={stats?.totalValue ?? stats?.pricedValue}>{money(stats?.totalValue ?? stats?.pricedValue)}</Live>{" "}
          {stats && stats.unpriced.length > 0 && (
            <small title={`Without a price: ${stats.unpriced.join(", ")}`}>+ {stats.unpriced.length} unpriced</small>
          )}
        </dd>
      </div>
      <div className="tile">
        <dt>Unrealised</dt>
        <dd className={tone(unrealized)}>
          <Live value={unrealized}>{signed(unrealized)}</Live>
        </dd>
      </div>
      <div className="tile">
        <dt>Today</dt>
        <dd className={tone(worth?.userSummary.dailyPnl)}>{signed(worth?.userSummary.dailyPnl)}</dd>
      </div>
      <div className="tile">
        <dt>Net profit, {DAYS} days</dt>
        <dd className={tone(month?.netProfit)}>{signed(month?.netProfit)}</dd>
      </div>
      <div className="tile">
        <dt>Won</dt>
        <dd>{month?.winRate == null ? "–" : `${fixed(month.winRate * 100, 0)} %`}</dd>
      </div>
      <div className="tile">
        <dt>Best and worst day</dt>
        <dd>
          <small>
            <span className="up">{signed(month?.bestDay, 0)}</span> <span className="down">{signed(month?.worstDay, 0)}</span>
          </small>
        </dd>
      </div>
    </dl>
  );
}

function BalanceCurve({ uid }: { uid: number }) {
  const { data, error, loading, refetch } = useQuery(BalanceHistory, { variables: { uid } });
  const points = useMemo(() => equity(data?.exchangeHistory.nodes ?? [], CURRENCY), [data]);
  return (
    <Panel title="Balance of the accounts" extra={<span className="muted">{CURRENCY}, as noted by the platform</span>}>
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : loading ? (
        <Loading rows={6} />
      ) : points.length > 1 ? (
        <Plot
          times={points.map(({ time }) => time)}
          series={[{ name: "Balance", values: points.map(({ value }) => value), kind: "area" }]}
        />
      ) : (
        <Empty>No balances have been noted yet.</Empty>
      )}
    </Panel>
  );
}

function Positions({ accounts }: { accounts: Account[] }) {
  const rows = accounts.flatMap((account) => account.positions.map((position) => ({ account, position })));
  return (
    <Panel title="Positions" extra={<Badge kind="good">live</Badge>}>
      {rows.length ? (
        <Table
          label="Positions"
          columns={[
            "Instrument",
            "Side",
            ["Volume", "number"],
            ["Entry", "number optional"],
            ["Market", "number"],
            ["Unrealised", "number"],
          ]}
        >
          {rows.map(({ account, position }) => (
            <tr key={`${position.exId} ${position.symbol}`}>
              <th scope="row">
                <Link href={`/market/${account.exchangeName}/${encodeURIComponent(position.symbol)}`}>{position.symbol}</Link>{" "}
                <span className="muted optional">{account.name}</span>
              </th>
              <td className={position.volume < 0 ? "down" : "up"}>{position.side}</td>
              <td className="number">{volume(position.volume)}</td>
              <td className="number optional">{price(position.price)}</td>
              <td className="number">{price(position.marketPrice)}</td>
              <td className={`number ${tone(position.unrealizedPnl)}`}>
                <Live value={position.unrealizedPnl}>{signed(position.unrealizedPnl)}</Live>
              </td>
            </tr>
          ))}
        </Table>
      ) : (
        <Empty>There are no open positions.</Empty>
      )}
    </Panel>
  );
}

function Allocation({ worth, error }: { worth: WorthQuery | undefined; error: unknown }) {
  return (
    <Panel title="Allocation">
      {error ? (
        <Problem error={error} />
      ) : !worth ? (
        <Loading rows={5} />
      ) : (
        <Table
          label="Allocation"
          columns={["Currency", ["Total", "number"], ["Price", "number optional"], ["Value", "number"], "Weight"]}
        >
          {worth.portfolioStats.assetAllocation.map((asset) => (
            <tr key={asset.currency}>
              <th scope="row">{asset.currency}</th>
              <td className="number">{volume(asset.total)}</td>
              <td className="number optional">{price(asset.price)}</td>
              <td className="number">{money(asset.value)}</td>
              <td>
                <Weight share={asset.value === null ? null : asset.value / worth.portfolioStats.pricedValue} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

/** The share of the priced value, as a bar and in percent. */
function Weight({ share }: { share: number | null }) {
  return (
    <>
      <span className="weight" aria-hidden="true">
        <span style={{ width: `${(share ?? 0) * 100}%` }} />
      </span>{" "}
      <span className="muted">{share === null ? "no price" : `${fixed(share * 100, 1)} %`}</span>
    </>
  );
}

function Balances({ accounts }: { accounts: Account[] }) {
  return (
    <Panel title="Balances" extra={<Badge kind="good">live</Badge>}>
      <Table
        label="Balances"
        columns={["Account", ["Exchange", "optional"], "Currency", ["Total", "number"], ["Free", "number"], ["Used", "number"]]}
      >
        {accounts.flatMap((account) =>
          account.balances.map((balance, place) => (
            <tr key={`${balance.exId} ${balance.currency}`}>
              <td>
                {place === 0 && (
                  <>
                    {account.name} {account.test && <Badge kind="warn">test</Badge>}
                  </>
                )}
              </td>
              <td className="muted optional">{place === 0 && account.exchangeName}</td>
              <th scope="row">{balance.currency}</th>
              <td className="number">
                <Live value={balance.total}>{volume(balance.total)}</Live>
              </td>
              <td className="number">{volume(balance.free)}</td>
              <td className="number">{volume(balance.used)}</td>
            </tr>
          )),
        )}
      </Table>
    </Panel>
  );
}
