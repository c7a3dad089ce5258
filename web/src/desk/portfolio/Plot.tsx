import { useId } from "react";
import { compact, money, signed } from "../format";
import type { Point } from "./results";

const WIDTH = 600;
const HEIGHT = 200;
const LEFT = 62;
const BOTTOM = 22;
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });

interface Props {
  title: string;
  points: Point[];
  kind: "line" | "bars";
}

/** A curve or a row of bars, drawn as SVG. Screen readers get a description. */
export function Plot({ title, points, kind }: Props) {
  const id = useId();
  const values = points.map(({ value }) => value);
  const low = Math.min(...values, kind === "bars" ? 0 : Infinity);
  const high = Math.max(...values, kind === "bars" ? 0 : -Infinity);
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  const y = (value: number) => 8 + ((high + room - value) / (high - low + 2 * room)) * (HEIGHT - BOTTOM - 8);
  const step = (WIDTH - LEFT) / Math.max(points.length - (kind === "line" ? 1 : 0), 1);
  const x = (place: number) => LEFT + place * step + (kind === "bars" ? step / 2 : 0);
  const ticks = roundTicks(low, high);
  const line = points.map(({ value }, place) => `${place ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const summary = `${title}: from ${money(values[0])} to ${money(values.at(-1))}, lowest ${money(low)}, highest ${money(high)}`;
  return (
    <div className="plot">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-labelledby={id}>
        <title id={id}>{summary}</title>
        {ticks.map((value) => (
          <line key={value} x1={LEFT} x2={WIDTH} y1={y(value)} y2={y(value)} className="plot-grid" />
        ))}
        {kind === "line" ? (
          <>
            <path d={`${line}L${x(points.length - 1)} ${HEIGHT - BOTTOM}L${LEFT} ${HEIGHT - BOTTOM}Z`} className="plot-area" />
            <path d={line} className="plot-line" />
          </>
        ) : (
          points.map(({ time, value }, place) => (
            <rect
              key={time}
              x={x(place) - step * 0.36}
              width={step * 0.72}
              y={Math.min(y(value), y(0))}
              height={Math.max(Math.abs(y(value) - y(0)), value ? 1 : 0)}
              className={value < 0 ? "plot-loss" : "plot-gain"}
            >
              <title>{`${day.format(time)}: ${signed(value)}`}</title>
            </rect>
          ))
        )}
      </svg>
      {ticks.map((value) => (
        <span key={value} className="plot-value" style={{ top: `${(y(value) / HEIGHT) * 100}%` }}>
          {compact(value)}
        </span>
      ))}
      <span className="plot-day">{points[0] && day.format(points[0].time)}</span>
      <span className="plot-day end">{points.at(-1) && day.format(points.at(-1)!.time)}</span>
    </div>
  );
}

/** Two to five values between `low` and `high`, all multiples of 1, 2 or 5 times a power of ten. */
function roundTicks(low: number, high: number): number[] {
  const rough = (high - low || Math.abs(high) || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => (first + place) * step);
}
