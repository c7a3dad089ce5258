import { useState } from "react";
import { Link } from "wouter";
import type { OrderRowFragment, TradeRowFragment } from "../../gql/graphql";
import { moment, money, percent, price, tone, volume } from "../format";
import { Empty, Loading, MoreBelow, OrderStatus, Panel, Problem, Side, Table } from "../parts";
import type { useRows } from "../rows";
import type { Activity } from "./useSymbolActivity";

/** The orders of an instrument and their fills. */
export function SymbolActivity({ activity: { orders, trades } }: { activity: Activity }) {
  const [tab, setTab] = useState<"orders" | "fills">("orders");
  return (
    <Panel
      className="activity"
      title={
        <span className="tabs" role="group" aria-label="Show">
          <button type="button" aria-pressed={tab === "orders"} onClick={() => setTab("orders")}>
            Orders
          </button>
          <button type="button" aria-pressed={tab === "fills"} onClick={() => setTab("fills")}>
            Fills
          </button>
        </span>
      }
    >
      {tab === "orders" ? <Orders list={orders} /> : <Fills list={trades} />}
    </Panel>
  );
}

type List<Row> = Pick<ReturnType<typeof useRows>, "loading" | "error" | "after" | "more" | "readAgain"> & { rows: Row[] };

export function Orders({ list, bots = true, symbols = false }: { list: List<OrderRowFragment>; bots?: boolean; symbols?: boolean }) {
  if (list.error) return <Problem error={list.error} retry={list.readAgain} />;
  if (list.loading) return <Loading rows={5} />;
  if (!list.rows.length) return <Empty>There are no orders.</Empty>;
  return (
    <Table
      label="Orders"
      columns={[
        "Order",
        "Time, UTC",
        bots && "Bot",
        symbols && "Instrument",
        "Side",
        ["Type", "optional"],
        ["Volume", "number"],
        ["Filled", "number optional"],
        ["Price", "number"],
        "Status",
        ["Reason", "optional"],
      ]}
      below={<MoreBelow after={list.after} reached={list.more} />}
    >
      {list.rows.map((order) => (
        <tr key={order.id} data-order={order.orderId}>
          <td className="muted">{order.orderId}</td>
          <td>{moment(order.timestamp)}</td>
          {bots && <td>{order.bot ? <Link href={`/bots/${order.botId}`}>{order.bot.name}</Link> : "–"}</td>}
          {symbols && (
            <td>
              <Link href={`/market/${order.exchange}/${encodeURIComponent(order.symbol)}`}>{order.symbol}</Link>
            </td>
          )}
          <td>
            <Side side={order.side} />
          </td>
          <td className="optional muted">{order.orderType}</td>
          <td className="number">{volume(order.volume)}</td>
          <td className="number optional">{volume(order.finalVolume)}</td>
          <td className="number">{price(order.price)}</td>
          <td>
            <OrderStatus status={order.status} />
          </td>
          <td className="optional muted">{order.reason}</td>
        </tr>
      ))}
    </Table>
  );
}

type Fill = Pick<TradeRowFragment, "id" | "symbol" | "side" | "volume" | "price" | "fee" | "roi" | "roiPct" | "time">;

export function Fills({ list }: { list: List<Fill> }) {
  if (list.error) return <Problem error={list.error} retry={list.readAgain} />;
  if (list.loading) return <Loading rows={5} />;
  if (!list.rows.length) return <Empty>Nothing has been filled.</Empty>;
  return (
    <Table
      label="Fills"
      columns={[
        "Time, UTC",
        "Instrument",
        "Side",
        ["Volume", "number"],
        ["Price", "number"],
        ["Fee", "number optional"],
        ["Result", "number"],
        ["%", "number optional"],
      ]}
      below={<MoreBelow after={list.after} reached={list.more} />}
    >
      {list.rows.map((trade) => (
        <tr key={trade.id}>
          <td>{moment(trade.time)}</td>
          <td>{trade.symbol}</td>
          <td>
            <Side side={trade.side} />
          </td>
          <td className="number">{volume(trade.volume)}</td>
          <td className="number">{price(trade.price)}</td>
          <td className="number optional muted">{money(trade.fee)}</td>
          <td className={`number ${tone(trade.roi)}`}>{money(trade.roi)}</td>
          <td className={`number optional ${tone(trade.roiPct)}`}>{percent(trade.roiPct)}</td>
        </tr>
      ))}
    </Table>
  );
}
