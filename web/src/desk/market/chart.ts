/** The candle chart on lightweight-charts. It does not use React, so a chart persists between renderings. */
import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineStyle,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { type Bar, type Bars, missingBetween } from "./bars";

export interface Fill {
  time: number;
  side: string;
  volume: number;
  price: number;
}

export interface OpenOrder {
  id: string;
  side: string;
  price: number;
  label: string;
}

const at = (seconds: number): UTCTimestamp => seconds as UTCTimestamp;
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class CandleChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly gaps: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private lines: IPriceLine[] = [];
  private fills: Fill[] = [];
  /** Positions on the time axis: bars, and the gaps between them. */
  private places = 0;

  /** `seconds` of a bar; `onStart` is called when the reader scrolls to where the bars begin. */
  constructor(
    element: HTMLElement,
    private readonly bars: Bars,
    private readonly seconds: number | null,
    decimals: number,
    onStart: () => void,
  ) {
    this.chart = createChart(element, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11 }, // the attribution is in the panel: the logo needs an inline style
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 6, minBarSpacing: 1 },
      crosshair: { mode: 0 },
    });
    this.gaps = this.chart.addSeries(HistogramSeries, { priceScaleId: "gaps", lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("gaps").applyOptions({ scaleMargins: { top: 0, bottom: 0 }, visible: false });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 }, visible: false });
    const precision = Math.max(0, decimals);
    this.candles = this.chart.addSeries(CandlestickSeries, {
      borderVisible: false,
      priceFormat: { type: "price", precision, minMove: 10 ** -precision },
    });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.markers = createSeriesMarkers(this.candles);
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 20) onStart();
    });
    this.paint();
  }

  /** Apply the colours of the page's theme. */
  paint(): void {
    const [up, down, line] = [colour("--up"), colour("--down"), colour("--line")];
    this.chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: colour("--panel") }, textColor: colour("--muted") },
      grid: { vertLines: { color: `${line}66` }, horzLines: { color: `${line}66` } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.drawAll();
  }

  /** Draw everything, for example after older bars were loaded. */
  drawAll(): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const candles: ({ time: UTCTimestamp } | (Bar & { time: UTCTimestamp }))[] = [];
    const gaps: { time: UTCTimestamp; value: number; color: string }[] = [];
    let before: Bar | undefined;
    for (const bar of this.bars.all) {
      for (const time of before ? missingBetween(before.time, bar.time, this.seconds) : []) {
        candles.push({ time: at(time) });
        gaps.push(this.gap(time));
      }
      candles.push({ ...bar, time: at(bar.time) });
      before = bar;
    }
    this.candles.setData(candles);
    this.gaps.setData(gaps);
    this.volume.setData(this.bars.all.map((bar) => this.volumeOf(bar)));
    // Bars added in front shift the others to the right; keep the visible range.
    const moved = candles.length - this.places;
    if (range && this.places) this.chart.timeScale().setVisibleLogicalRange({ from: range.from + moved, to: range.to + moved });
    this.places = candles.length;
    this.drawFills();
  }

  /** Draw the newest bar; `before` is the previous newest. */
  drawLast(bar: Bar, before: Bar | undefined): void {
    for (const time of before ? missingBetween(before.time, bar.time, this.seconds) : []) {
      this.candles.update({ time: at(time) });
      this.gaps.update(this.gap(time));
      this.places += 1;
    }
    if (bar.time !== before?.time) this.places += 1;
    this.candles.update({ ...bar, time: at(bar.time) });
    this.volume.update(this.volumeOf(bar));
  }

  showFills(fills: Fill[]): void {
    this.fills = fills;
    this.drawFills();
  }

  /** Open orders, each as a line at its price. */
  showOrders(orders: OpenOrder[]): void {
    for (const line of this.lines) this.candles.removePriceLine(line);
    this.lines = orders.map(({ side, price, label }) =>
      this.candles.createPriceLine({
        price,
        color: colour(side === "BUY" ? "--up" : "--down"),
        lineStyle: LineStyle.Dashed,
        lineWidth: 1,
        title: label,
        axisLabelVisible: true,
      }),
    );
  }

  /** Show as many of the newest bars as are readable. */
  showNewest(): void {
    const readable = Math.max(40, Math.round(this.chart.chartElement().clientWidth / 8));
    this.chart.timeScale().setVisibleLogicalRange({ from: this.places - readable, to: this.places + 6 });
  }

  destroy(): void {
    this.chart.remove();
  }

  /** One arrow for all fills of a side in a bar, with their number. */
  private drawFills(): void {
    const first = this.bars.first?.time ?? Infinity;
    const counts = new Map<string, { time: number; side: string; count: number }>();
    for (const { time, side } of this.fills) {
      const bar = time >= first ? this.bars.at(time) : undefined;
      if (!bar) continue;
      const key = `${bar.time} ${side}`;
      counts.set(key, { time: bar.time, side, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    const markers = [...counts.values()].map(({ time, side, count }): SeriesMarker<Time> => {
      const buys = side === "BUY";
      return {
        time: at(time),
        position: buys ? "belowBar" : "aboveBar",
        shape: buys ? "arrowUp" : "arrowDown",
        color: colour(buys ? "--up" : "--down"),
        text: count > 1 ? String(count) : undefined,
      };
    });
    markers.sort((one, other) => Number(one.time) - Number(other.time));
    this.markers.setMarkers(markers);
  }

  private gap(time: number) {
    return { time: at(time), value: 1, color: colour("--warn-wash") };
  }

  private volumeOf(bar: Bar) {
    return { time: at(bar.time), value: bar.volume, color: colour(bar.close >= bar.open ? "--up-wash" : "--down-wash") };
  }
}
