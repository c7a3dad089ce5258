/** Formats of numbers and times. A column shows the same number of digits in all rows. */

const formats = new Map<number, Intl.NumberFormat>();

/** A number with exactly `decimals` decimals; a dash for an unknown one. */
export function fixed(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined) return "–";
  let format = formats.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(decimals, format);
  }
  return format.format(value).replace(/^-(?=[0.,]+$)/, ""); // no minus before zero
}

/** The decimals that show five significant digits or more of prices like this one. */
export function priceDecimals(price: number): number {
  return Math.min(10, Math.max(2, 5 - Math.ceil(Math.log10(Math.max(Math.abs(price), 1e-9)))));
}

export const price = (value: number | null | undefined): string => fixed(value, value ? priceDecimals(value) : 2);
export const money = (value: number | null | undefined): string => fixed(value, 2);

/** With a plus sign if it is positive. */
export const signed = (value: number | null | undefined, decimals = 2): string =>
  value === null || value === undefined ? "–" : `${Number(value.toFixed(decimals)) > 0 ? "+" : ""}${fixed(value, decimals)}`;

export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : `${signed(value)} %`;

const compactFormat = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const compact = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : compactFormat.format(value);

/** A volume with all its digits, at most eight decimals. */
const volumeFormat = new Intl.NumberFormat("en", { maximumFractionDigits: 8 });
export const volume = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : volumeFormat.format(value);

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });

/** The time of day in UTC, as in charts and candles, after the date if that is not today. */
export function moment(time: string | null | undefined): string {
  if (!time) return "–";
  const date = new Date(time);
  const today = new Date().toISOString().slice(0, 10) === date.toISOString().slice(0, 10);
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/** The date in UTC, without the year. */
export const date = (time: number): string => day.format(time);

const monthFormat = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });
export const month = (time: number): string => monthFormat.format(time);

/** The age in one unit. */
export function age(seconds: number): string {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** The class that colours gains and losses. */
export const tone = (value: number | null | undefined): string => (!value ? "" : value > 0 ? "up" : "down");
