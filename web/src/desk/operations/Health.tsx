import { useEffect, useState } from "react";
import { isUnreachable } from "../../api/errors";
import { Badge } from "../parts";

interface Answer {
  status: "healthy" | "degraded";
  version: string;
  parts: Record<string, { status: "up" | "down"; milliseconds: number }>;
  issues: string[];
}

/** Milliseconds between two requests. */
const EVERY = 5_000;

/** The health of the server and its stores, from `/health`, which does not depend on the graph. */
export function Health() {
  const [health, setHealth] = useState<Answer | "unreachable" | null>(null);
  useEffect(() => {
    let ended = false;
    async function look() {
      try {
        const answer = await fetch("/health", { signal: AbortSignal.timeout(EVERY) });
        if (!ended) setHealth((await answer.json()) as Answer);
      } catch (error) {
        if (!ended && isUnreachable(error)) setHealth("unreachable");
      }
    }
    void look();
    const timer = setInterval(look, EVERY);
    return () => {
      ended = true;
      clearInterval(timer);
    };
  }, []);
  const known = health && health !== "unreachable" ? health : null;
  const parts = known ? Object.entries(known.parts) : ["postgres", "ohlcv", "redis"].map((name) => [name, null] as const);
  return (
    <dl className="tiles">
      <div className="tile">
        <dt>Server</dt>
        <dd>
          {health === "unreachable" ? (
            <Badge kind="bad">unreachable</Badge>
          ) : known ? (
            <Badge kind={known.status === "healthy" ? "good" : "bad"}>{known.status}</Badge>
          ) : (
            "–"
          )}{" "}
          <small>{known?.version}</small>
        </dd>
      </div>
      {parts.map(([name, part]) => (
        <div className="tile" key={name}>
          <dt>{name}</dt>
          <dd>
            {part ? <Badge kind={part.status === "up" ? "good" : "bad"}>{part.status}</Badge> : "–"}{" "}
            <small>{part && `${part.milliseconds.toFixed(1)} ms`}</small>
          </dd>
        </div>
      ))}
      {known?.issues.map((issue) => (
        <div className="tile" key={issue}>
          <dt>Issue</dt>
          <dd className="down">
            <small>{issue}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}
