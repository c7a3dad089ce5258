/** Curves from rows and columns: the balances of accounts, and the results of periods. */
import type { ResultPeriod } from "../../gql/graphql";

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

/** The result of one period. */
export interface Result {
  time: number;
  closedTrades: number;
  winningTrades: number;
  netProfit: number | null;
  totalFees: number | null;
}

type Columns = { [Name in keyof Result]: Result[Name][] };

const DAY = 86_400_000;

/** The start of the period after the one that starts at `time`. */
export function following(period: ResultPeriod, time: number): number {
  const start = new Date(time);
  if (period === "MONTH") return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
  return time + (period === "WEEK" ? 7 : 1) * DAY;
}

/** A result for every period from the first one with a trade to the one of `now`, the oldest first. */
export function everyPeriod(period: ResultPeriod, columns: Columns | undefined, now: number): Result[] {
  const results: Result[] = [];
  for (const [place, time] of (columns?.time ?? []).entries()) {
    fill(time);
    results.push({
      time,
      closedTrades: columns!.closedTrades[place]!,
      winningTrades: columns!.winningTrades[place]!,
      netProfit: columns!.netProfit[place]!,
      totalFees: columns!.totalFees[place]!,
    });
  }
  if (results.length) fill(now);
  return results;

  /** Add periods without a trade up to the one that contains or starts at `end`. */
  function fill(end: number) {
    for (let last = results.at(-1); last; last = results.at(-1)) {
      const time = following(period, last.time);
      if (time >= end) return;
      results.push({ time, closedTrades: 0, winningTrades: 0, netProfit: 0, totalFees: 0 });
    }
  }
}
