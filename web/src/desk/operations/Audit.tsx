import { moment } from "../format";
import { Badge, Empty, Loading, MoreBelow, Panel, Problem, Table } from "../parts";
import { useRows } from "../rows";
import { AuditEvents, AuditLog } from "./documents";

/** Every change made through the server, newest first, live. */
export function Audit() {
  const list = useRows({ query: AuditLog, variables: {}, events: AuditEvents, position: ({ seq }) => seq });
  return (
    <Panel title="Audit log" extra={<Badge kind="good">live</Badge>}>
      {list.error ? (
        <Problem error={list.error} retry={list.readAgain} />
      ) : list.loading ? (
        <Loading />
      ) : !list.rows.length ? (
        <Empty>Nothing has been changed yet.</Empty>
      ) : (
        <Table
          label="Audit log"
          limited
          columns={[["No.", "number"], "Time, UTC", "User", ["By", "optional"], "Change", "Of", "What"]}
          below={<MoreBelow after={list.after} reached={list.more} />}
        >
          {list.rows.map((entry) => (
            <tr key={entry.id} data-operation={entry.operation}>
              <td className="number muted">{entry.seq}</td>
              <td>{moment(entry.time)}</td>
              <td>{entry.uid}</td>
              <td className="muted optional">{entry.credential}</td>
              <th scope="row">{entry.operation}</th>
              <td>
                {entry.entity} {entry.rowKey}
              </td>
              <td className="muted difference">{difference(entry.before, entry.after)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

/** The columns that differ, as `name: before → after`. */
function difference(before: unknown, after: unknown): string {
  const [old, young] = [before, after].map((side) => (side ?? {}) as Record<string, unknown>);
  const names = [...new Set([...Object.keys(old!), ...Object.keys(young!)])];
  return names
    .filter((name) => JSON.stringify(old![name]) !== JSON.stringify(young![name]))
    .map((name) => `${name}: ${old![name] ?? "–"} → ${young![name] ?? "–"}`)
    .join(", ");
}
