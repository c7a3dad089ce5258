import type { StatusFieldsFragment } from "../../gql/graphql";
import { signed, tone } from "../format";
import { Badge, Live } from "../parts";

/** The current status of a bot. */
export function Doing({ statuses }: { statuses: StatusFieldsFragment[] }) {
  const [first] = statuses;
  if (!first) return <span className="muted">–</span>;
  return (
    <span>
      {first.status ?? "–"} <span className="muted">{first.symbol}</span>
    </span>
  );
}

/** The result of its position, in percent. */
export function Performance({ statuses }: { statuses: StatusFieldsFragment[] }) {
  const performance = statuses[0]?.performance;
  return (
    <span className={tone(performance)}>
      <Live value={performance}>{performance == null ? "–" : `${signed(performance, 3)} %`}</Live>
    </span>
  );
}

export const Activity = ({ active, dryRun, halted }: { active: boolean; dryRun: boolean; halted: boolean }) => (
  <>
    <Badge kind={active ? "good" : halted ? "bad" : "calm"}>{active ? "running" : halted ? "halted" : "stopped"}</Badge>{" "}
    {dryRun && <Badge kind="warn">dry run</Badge>}
  </>
);
