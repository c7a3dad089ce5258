import { useQuery, useSubscription } from "@apollo/client/react";
import { Age, Badge, Empty, Loading, Panel, Problem, Table, useSecond } from "../parts";
import { Processes, ProcessUpdates } from "./documents";

/** Every running feed and program of the platform, by its heartbeat. */
export function Feeds() {
  const { data, error, refetch } = useQuery(Processes, { fetchPolicy: "cache-and-network", pollInterval: 30_000 });
  useSubscription(ProcessUpdates, {
    ignoreResults: true,
    onData: ({ client: { cache }, data: { data } }) =>
      // The subscription has the complete list of processes, which replaces that of the query.
      data && cache.updateQuery({ query: Processes }, (before) => before && { ...before, processes: data.processes }),
  });
  const now = useSecond();
  const processes = [...(data?.processes ?? [])].sort((one, other) =>
    `${one.type} ${one.component}`.localeCompare(`${other.type} ${other.component}`),
  );
  const health = data?.systemHealth;
  return (
    <Panel
      title="Feeds"
      extra={health && <span className="muted">{`${health.totalProcesses} processes, ${health.staleProcesses} stale, ${health.errorProcesses} with errors`}</span>}
    >
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : !processes.length ? (
        <Empty>No process reports.</Empty>
      ) : (
        <Table label="Feeds" limited columns={["Feed", "Type", "Status", "Heartbeat"]}>
          {processes.map((process) => (
            <tr key={process.processId} title={process.message ?? undefined}>
              <th scope="row">{process.component}</th>
              <td className="muted">{process.type.toLowerCase()}</td>
              <td>
                <Badge kind={process.isStale ? "warn" : process.status === "error" ? "bad" : "good"}>
                  {process.isStale ? "stale" : (process.status ?? "–")}
                </Badge>
              </td>
              <td>
                <Age time={process.heartbeatAt} now={now} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}
