import { type PointerEvent, useId } from "react";
import { compact, date, money, signed } from "../format";

const WIDTH = 600;
const HEIGHT = 200;
const BOTTOM = 22;

export interface Series {
  name: string;
  /** Null is unknown: a line has a gap there. */
  values: (number | null)[];
  kind: "area" | "line" | "dashed" | "fall" | "bars";
}

interface Props {
  times: number[];
  series: Series[];
  /** How a time is shown below the plot and beside a bar. */
  label?: (time: number) => string;
  /** Whether it has the full width of the page. */
  wide?: boolean;
  low?: boolean;
  /** The place of the time that the pointer is at, marked by a line. */
  at?: number | null;
  onAt?: (place: number | null) => void;
}

/** Curves or bars over time, drawn as SVG. Screen readers get a description. */
export function Plot({ times, series, label = date, wide = false, low: flat = false, at, onAt }: Props) {
  const id = useId();
  const left = wide ? 30 : 62;
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const fromZero = series.some(({ kind }) => kind !== "area");
  const low = Math.min(...known, fromZero ? 0 : Infinity);
  const high = Math.max(...known, fromZero ? 0 : -Infinity);
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  const y = (value: number) => 8 + ((high + room - value) / (high - low + 2 * room)) * (HEIGHT - BOTTOM - 8);
  const bars = series.some(({ kind }) => kind === "bars");
  const step = (WIDTH - left) / Math.max(times.length - (bars ? 0 : 1), 1);
  const x = (place: number) => left + place * step + (bars ? step / 2 : 0);
  const ticks = roundTicks(low, high);

  function point(event: PointerEvent<SVGSVGElement>) {
    const box = event.currentTarget.getBoundingClientRect();
    const place = Math.round((((event.clientX - box.left) / box.width) * WIDTH - x(0)) / step);
    onAt?.(Math.min(Math.max(place, 0), times.length - 1));
  }

  return (
    <div className={`plot ${wide ? "wide" : ""} ${flat ? "low" : ""}`}>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-labelledby={id}
        onPointerMove={onAt && point}
        onPointerLeave={() => onAt?.(null)}
      >
        <title id={id}>{series.map(summary).join("; ")}</title>
        {ticks.map((value) => (
          <line key={value} x1={left} x2={WIDTH} y1={y(value)} y2={y(value)} className={value === 0 && fromZero ? "plot-zero" : "plot-grid"} />
        ))}
        {series.map(({ name, values, kind }) =>
          kind === "bars" ? (
            values.map((value, place) => (
              <rect
                key={times[place]}
                x={x(place) - step * 0.36}
                width={step * 0.72}
                y={Math.min(y(value ?? 0), y(0))}
                height={Math.max(Math.abs(y(value ?? 0) - y(0)), value ? 1 : 0)}
                className={(value ?? 0) < 0 ? "plot-loss" : "plot-gain"}
              >
                <title>{`${label(times[place]!)}: ${signed(value)}`}</title>
              </rect>
            ))
          ) : (
            <g key={name} className={`plot-${kind}`}>
              {(kind === "area" || kind === "fall") && (
                <path className="plot-wash" d={areas(values, x, y, fromZero ? y(0) : HEIGHT - BOTTOM)} />
              )}
              <path className="plot-line" d={lines(values, x, y)} />
            </g>
          ),
        )}
        {at != null && <line x1={x(at)} x2={x(at)} y1={8} y2={HEIGHT - BOTTOM} className="plot-at" />}
      </svg>
      {ticks.map((value) => (
        <span key={value} className="plot-value" style={{ top: `${(y(value) / HEIGHT) * 100}%` }}>
          {compact(value)}
        </span>
      ))}
      <span className="plot-day">{times.length > 0 && label(times[0]!)}</span>
      <span className="plot-day end">{times.length > 1 && label(times.at(-1)!)}</span>
    </div>
  );
}

type Scale = (value: number) => number;

/** The known values that follow each other, with their places. */
function* runs(values: (number | null)[]): Generator<{ place: number; value: number }[]> {
  let run: { place: number; value: number }[] = [];
  for (const [place, value] of values.entries()) {
    if (value !== null) run.push({ place, value });
    else if (run.length) {
      yield run;
      run = [];
    }
  }
  if (run.length) yield run;
}

/** A path through the values. One value between gaps is a dot. */
function lines(values: (number | null)[], x: Scale, y: Scale): string {
  return [...runs(values)]
    .map((run) => {
      const points = run.map(({ place, value }) => `${x(place).toFixed(1)} ${y(value).toFixed(1)}`);
      return points.length > 1 ? `M${points.join("L")}` : `M${points[0]}h0`;
    })
    .join("");
}

/** The areas between the values and the height `base`. */
function areas(values: (number | null)[], x: Scale, y: Scale, base: number): string {
  return [...runs(values)]
    .map((run) => {
      const points = run.map(({ place, value }) => `${x(place).toFixed(1)} ${y(value).toFixed(1)}`);
      return `M${x(run[0]!.place).toFixed(1)} ${base}L${points.join("L")}L${x(run.at(-1)!.place).toFixed(1)} ${base}Z`;
    })
    .join("");
}

function summary({ name, values }: Series): string {
  const known = values.filter((value) => value !== null);
  if (!known.length) return `${name}: unknown`;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return `${name}: from ${money(known[0])} to ${money(known.at(-1))}, lowest ${money(low)}, highest ${money(high)}`;
}

/** Two to five values between `low` and `high`, all multiples of 1, 2 or 5 times a power of ten. */
function roundTicks(low: number, high: number): number[] {
  const rough = (high - low || Math.abs(high) || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => (first + place) * step);
}
