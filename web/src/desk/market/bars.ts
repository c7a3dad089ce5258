/** The bars of a chart, merged from history and stream, each once. Data only: no React, no chart. */

export interface Bar {
  /** Seconds since 1970, UTC. */
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

interface Columns {
  time: number[];
  open: number[];
  high: number[];
  low: number[];
  close: number[];
  volume: number[];
}

/** Rows from the columns of the history, whose times are in milliseconds. */
export const fromColumns = ({ time, open, high, low, close, volume }: Columns): Bar[] =>
  time.map((at, row) => ({
    time: at / 1000,
    open: open[row]!,
    high: high[row]!,
    low: low[row]!,
    close: close[row]!,
    volume: volume[row]!,
  }));

export class Bars {
  private bars: Bar[] = [];

  get all(): readonly Bar[] {
    return this.bars;
  }

  get first(): Bar | undefined {
    return this.bars[0];
  }

  get last(): Bar | undefined {
    return this.bars.at(-1);
  }

  /** Insert or replace a bar by its time. True if it is the newest bar. */
  put(bar: Bar): boolean {
    let place = this.bars.length;
    while (place > 0 && this.bars[place - 1]!.time >= bar.time) place -= 1;
    const known = this.bars[place]?.time === bar.time;
    this.bars.splice(place, known ? 1 : 0, bar);
    return place === this.bars.length - 1;
  }

  /** Add older bars in front; existing bars are kept. */
  prepend(older: Bar[]): void {
    const first = this.first?.time ?? Infinity;
    this.bars = [...older.filter(({ time }) => time < first), ...this.bars];
  }

  /** The bar that contains a time, if there is one. */
  at(time: number): Bar | undefined {
    let low = 0;
    let high = this.bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.bars[middle]!.time <= time) low = middle + 1;
      else high = middle;
    }
    return this.bars[low - 1];
  }
}

/** Maximum number of bars drawn for a gap, so that a long outage does not move the prices off the screen. */
const WIDEST_GAP = 120;

/** The times without a bar between two bars: minutes without trades, or an outage. */
export function missingBetween(before: number, after: number, seconds: number | null): number[] {
  if (seconds === null) return [];
  const count = Math.min(Math.round((after - before) / seconds) - 1, WIDEST_GAP);
  return Array.from({ length: Math.max(count, 0) }, (_, place) => before + (place + 1) * seconds);
}
