/** Curves from rows: the balances of accounts, and the results of each day. */

export interface Point {
  time: number;
  value: number;
}

/**
 * The sum of the newest balances of all accounts, at the time of each recorded balance.
 *
 * It begins when every account with this currency has a recorded balance; an earlier sum would jump.
 */
export function equity(rows: { exId: number; currency: string; balance: number; timestamp: string }[], currency: string): Point[] {
  const own = rows.filter((row) => row.currency === currency);
  const accounts = new Set(own.map(({ exId }) => exId)).size;
  const newest = new Map<number, number>();
  const points: Point[] = [];
  for (const { exId, balance, timestamp } of own) {
    newest.set(exId, balance);
    if (newest.size < accounts) continue;
    const value = [...newest.values()].reduce((sum, one) => sum + one, 0);
    const time = Date.parse(timestamp);
    const last = points.at(-1);
    if (last && time - last.time < 3_600_000) last.value = value; // balances recorded within an hour are one point
    else points.push({ time, value });
  }
  return points;
}

/** The currency that a symbol is priced in: `USD` of `BTC/USD` and of `BTC/USD:BTC`. */
const quoteOf = (symbol: string): string => symbol.split(":")[0]!.split("/")[1] ?? "";

const DAY = 86_400_000;

/** The result of each UTC day, days without trades included. */
export function daily(trades: { time: string; roi: number | null; symbol: string }[], currency: string, since: number): Point[] {
  const days = new Map<number, number>();
  for (let day = Math.ceil(since / DAY) * DAY; day <= Date.now(); day += DAY) days.set(day, 0);
  for (const { time, roi, symbol } of trades) {
    const day = Math.floor(Date.parse(time) / DAY) * DAY;
    if (days.has(day) && sameMoney(quoteOf(symbol), currency)) days.set(day, days.get(day)! + (roi ?? 0));
  }
  return [...days].map(([time, value]) => ({ time, value }));
}

/** Stablecoins of the dollar count as dollars. */
const DOLLARS = new Set(["USD", "USDT", "USDC"]);
const sameMoney = (one: string, other: string): boolean => one === other || (DOLLARS.has(one) && DOLLARS.has(other));
