/** Numbers and times as traders read them. All are shown with the same number of digits in a column. */

const formats = new Map<number, Intl.NumberFormat>();

/** A number with exactly so many decimals; a dash for what is not known. */
export function fixed(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined) return "–";
  let format = formats.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(decimals, format);
  }
  return format.format(value).replace(/^-(?=[0.,]+$)/, ""); // no minus where only zeros are left
}

/** The decimals that show five significant digits or more of prices like this one. */
export function priceDecimals(price: number): number {
  return Math.min(10, Math.max(2, 5 - Math.ceil(Math.log10(Math.max(Math.abs(price), 1e-9)))));
}

export const price = (value: number | null | undefined): string => fixed(value, value ? priceDecimals(value) : 2);
export const money = (value: number | null | undefined): string => fixed(value, 2);

/** With a plus where it is positive. */
export const signed = (value: number | null | undefined, decimals = 2): string =>
  value === null || value === undefined ? "–" : `${Number(value.toFixed(decimals)) > 0 ? "+" : ""}${fixed(value, decimals)}`;

export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : `${signed(value)} %`;

const compactFormat = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
export const compact = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : compactFormat.format(value);

/** A volume with as many digits as it has, eight decimals at most. */
const volumeFormat = new Intl.NumberFormat("en", { maximumFractionDigits: 8 });
export const volume = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : volumeFormat.format(value);

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });

/** The time of day in UTC, as charts and candles have it, with the day before it where that is not today. */
export function moment(time: string | null | undefined): string {
  if (!time) return "–";
  const date = new Date(time);
  const today = new Date().toISOString().slice(0, 10) === date.toISOString().slice(0, 10);
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/** How long ago, in one unit. */
export function age(seconds: number): string {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** The class that colours gains and losses. */
export const tone = (value: number | null | undefined): string => (!value ? "" : value > 0 ? "up" : "down");
