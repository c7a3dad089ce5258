import { useMemo } from "react";
import { useRows } from "../rows";
import { volume } from "../format";
import { OrderEvents, SymbolOrders, SymbolTrades, TradeEvents } from "./documents";
import type { Fill, OpenOrder } from "./chart";

const WAITING = new Set(["New", "pending", "open", "partially_filled"]);

/** Orders and fills of one instrument that the account may see, live. */
export function useSymbolActivity(exchange: string, symbol: string) {
  const filter = { exchange: { eq: exchange }, symbol: { eq: symbol } };
  const orders = useRows({ query: SymbolOrders, variables: { filter }, events: OrderEvents, position: ({ orderId }) => orderId });
  const trades = useRows({ query: SymbolTrades, variables: { filter }, events: TradeEvents, position: ({ tradeId }) => tradeId });

  const fills = useMemo<Fill[]>(
    () => trades.rows.map(({ time, side, volume, price }) => ({ time: Date.parse(time) / 1000, side, volume, price })),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [trades.rows.length, trades.rows[0]?.id],
  );
  const waiting = orders.rows.filter(({ status, price }) => WAITING.has(status) && price);
  const waitingKey = JSON.stringify(waiting.map(({ id, price, status }) => [id, price, status]));
  const open = useMemo<OpenOrder[]>(
    () =>
      waiting.map((order) => ({
        id: order.id,
        side: order.side,
        price: order.price!,
        label: `${order.side.toLowerCase()} ${volume(order.volume)}`,
      })),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [waitingKey],
  );
  return { orders, trades, fills, waiting: open };
}

export type Activity = ReturnType<typeof useSymbolActivity>;
