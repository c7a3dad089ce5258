import type { Timeframe } from "../../gql/graphql";

/** All timeframes, with their label and the seconds of a bar; months differ in length, so they have none. */
export const TIMEFRAMES: { name: Timeframe; label: string; seconds: number | null }[] = [
  { name: "M1", label: "1m", seconds: 60 },
  { name: "M3", label: "3m", seconds: 180 },
  { name: "M5", label: "5m", seconds: 300 },
  { name: "M15", label: "15m", seconds: 900 },
  { name: "M30", label: "30m", seconds: 1800 },
  { name: "H1", label: "1h", seconds: 3600 },
  { name: "H2", label: "2h", seconds: 7200 },
  { name: "H4", label: "4h", seconds: 14_400 },
  { name: "H6", label: "6h", seconds: 21_600 },
  { name: "H8", label: "8h", seconds: 28_800 },
  { name: "H12", label: "12h", seconds: 43_200 },
  { name: "D1", label: "1d", seconds: 86_400 },
  { name: "D3", label: "3d", seconds: 259_200 },
  { name: "W1", label: "1w", seconds: 604_800 },
  { name: "MN1", label: "1M", seconds: null },
];
