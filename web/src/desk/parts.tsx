/** Components of all views: loading, empty and error states, live cells, badges. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import { currentTime } from "../api/clock";
import { sentence } from "../api/errors";
import { age } from "./format";

export function Loading({ rows = 8 }: { rows?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} />
      ))}
    </div>
  );
}

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="state" role="alert">
      <p className="problem">{sentence(error)}</p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export const Empty = ({ children }: { children: ReactNode }) => <p className="state">{children}</p>;

export function Panel({ title, extra, className = "", children }: { title: ReactNode; extra?: ReactNode; className?: string; children: ReactNode }) {
  return (
    <section className={`panel ${className}`}>
      <header>
        <h2>{title}</h2>
        {extra}
      </header>
      {children}
    </section>
  );
}

/** The title of a column, also with CSS classes of its cell; false leaves the column out. */
type Column = string | [title: string, className: string] | false;

interface TableProps {
  /** The name of the table for screen readers. */
  label: string;
  columns: Column[];
  /** True if a last column has buttons. */
  actions?: boolean;
  /** True if the height is limited, so that its rows scroll in the panel. */
  limited?: boolean;
  className?: string;
  /** The rows. */
  children: ReactNode;
  below?: ReactNode;
}

/** A table that can be scrolled, also with the keyboard. */
export function Table({ label, columns, actions, limited, className, children, below }: TableProps) {
  return (
    <div className={limited ? "scroll limited" : "scroll"} tabIndex={0} role="region" aria-label={label}>
      <table className={className}>
        <thead>
          <tr>
            {columns.map((column) => column && <Head key={String(column)} column={column} />)}
            {actions && (
              <th scope="col">
                <span className="unseen">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
      {below}
    </div>
  );
}

function Head({ column }: { column: Exclude<Column, false> }) {
  const [title, className] = typeof column === "string" ? [column] : column;
  return (
    <th scope="col" className={className}>
      {title}
    </th>
  );
}

/** A value that is highlighted briefly when it changes. */
export function Live({ value, children }: { value: number | null | undefined; children: ReactNode }) {
  const cell = useRef<HTMLSpanElement>(null);
  const before = useRef(value);
  useEffect(() => {
    const last = before.current;
    before.current = value;
    if (value == null || last == null || value === last || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const wash = value > last ? "var(--up-wash)" : "var(--down-wash)";
    cell.current?.animate([{ backgroundColor: wash }, { backgroundColor: "transparent" }], { duration: 900 });
  }, [value]);
  return (
    <span ref={cell} className="live">
      {children}
    </span>
  );
}

/** The server's time in seconds, updated every second. */
export function useSecond(): number {
  const [second, set] = useState(() => Math.floor(currentTime() / 1000));
  useEffect(() => {
    const timer = setInterval(() => set(Math.floor(currentTime() / 1000)), 1000);
    return () => clearInterval(timer);
  }, []);
  return second;
}

/** Seconds after which a price is marked as stale. */
export const STALE = 30;

export function Age({ time, now }: { time: string; now: number }) {
  const seconds = Math.max(0, now - Date.parse(time) / 1000);
  const stale = seconds > STALE;
  return <span className={stale ? "stale" : "muted"}>{stale ? `stale, ${age(seconds)}` : age(seconds)}</span>;
}

export function Badge({ kind, children }: { kind: "good" | "bad" | "warn" | "calm" | "accent"; children: ReactNode }) {
  return <span className={`badge ${kind}`}>{children}</span>;
}

export const Side = ({ side }: { side: string }) => <span className={side === "BUY" ? "up" : "down"}>{side}</span>;

/** By the status in lower case: the platform's programs write them in both cases and both spellings. */
const STATUS: Record<string, "good" | "bad" | "calm" | "accent"> = {
  new: "accent",
  open: "accent",
  pending: "accent",
  filled: "good",
  canceled: "calm",
  cancelled: "calm",
  rejected: "bad",
};

export const OrderStatus = ({ status }: { status: string }) => (
  <Badge kind={STATUS[status.toLowerCase()] ?? "warn"}>{status.replaceAll("_", " ").toLowerCase()}</Badge>
);

interface More {
  /** The end of the rows so far; null or undefined if there are no more. */
  after: string | null | undefined;
  reached(): void;
}

/** Calls `reached` when the reader comes near the end of a list, once for each page. */
export function MoreBelow({ after, reached }: More) {
  const end = useRef<HTMLDivElement>(null);
  const call = useRef(reached);
  call.current = reached;
  useEffect(() => {
    if (!after || !end.current) return undefined;
    // An observer reports changes only, so a new one checks the end again after each page: it may still be near.
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && call.current(), { rootMargin: "300px" });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [after]);
  return after ? (
    <div ref={end} className="more">
      <button type="button" className="link" onClick={reached}>
        More
      </button>
    </div>
  ) : null;
}
