/** The few icons of both pages, drawn in a box of 20 by 20. */
const PATHS = {
  market: "M3 17V9M3 5V3M8 17v-4M8 9V6M13 17V8M13 4V3M18 17v-3M18 10V6M2 5h2v4H2zM7 9h2v4H7zM12 4h2v4h-2zM17 10h2v4h-2z",
  bots: "M10 2v3M5 5h10a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM7.5 9.5v1.5M12.5 9.5v1.5M8 13.5h4",
  portfolio: "M10 2a8 8 0 1 0 8 8h-8zM13 2.5A8 8 0 0 1 17.5 7H13z",
  alerts: "M10 2a5 5 0 0 0-5 5v4l-2 3h14l-2-3V7a5 5 0 0 0-5-5zM8 17a2 2 0 0 0 4 0",
  operations: "M2 10h3l2-6 4 12 2.5-8 1.5 4H18",
  graph: "M10 2l7 4v8l-7 4-7-4V6zM10 2v16M3 6l14 8M17 6L3 14",
  sun: "M10 6a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 1v2M10 17v2M1 10h2M17 10h2M3.6 3.6L5 5M15 15l1.4 1.4M3.6 16.4L5 15M15 5l1.4-1.4",
  moon: "M16.5 12.5A7 7 0 0 1 7.5 3.5a7 7 0 1 0 9 9z",
  signOut: "M8 3H4a1 1 0 0 0-1 1v12a1 1 0 0 0 1 1h4M13 6l4 4-4 4M17 10H8",
  search: "M9 3a6 6 0 1 0 0 12A6 6 0 0 0 9 3zM13.5 13.5L18 18",
  back: "M12 4l-6 6 6 6",
  list: "M4 5h12M4 10h12M4 15h8",
  stopwatch: "M10 5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 2h4M10 8v4l2.5 1.5M15.5 5.5L17 4",
  close: "M5 5l10 10M15 5L5 15",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
