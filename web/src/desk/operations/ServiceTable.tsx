import { useMutation, useQuery, useSubscription } from "@apollo/client/react";
import { useState } from "react";
import { sentence } from "../../api/errors";
import { newKey } from "../../api/key";
import type { ServiceFieldsFragment, ServiceName } from "../../gql/graphql";
import { moment } from "../format";
import { Age, Badge, Loading, Panel, Problem, Table, useSecond } from "../parts";
import { RestartService, Services, ServiceUpdates, StartService, StopService } from "./documents";

const KINDS = { RUNNING: "good", STOPPED: "calm", FAILED: "bad", STARTING: "warn", STOPPING: "warn" } as const;

export function ServiceTable() {
  const { data, error, refetch } = useQuery(Services, { fetchPolicy: "cache-and-network" });
  // Each event is one service with its name, so the cache updates the row.
  useSubscription(ServiceUpdates, { ignoreResults: true });
  const now = useSecond();
  return (
    <Panel title="Services" extra={<Badge kind="good">live</Badge>}>
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={3} />
      ) : (
        <Table label="Services" actions columns={["Service", "State", "Since", "Heartbeat", ["Runs on", "optional"], "Error"]}>
          {data.services.map((service) => (
            <ServiceRow key={service.name} service={service} now={now} />
          ))}
        </Table>
      )}
    </Panel>
  );
}

function ServiceRow({ service, now }: { service: ServiceFieldsFragment; now: number }) {
  const [start] = useMutation(StartService);
  const [stop] = useMutation(StopService);
  const [restart] = useMutation(RestartService);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  async function order(change: (options: { variables: { name: ServiceName; idempotencyKey: string } }) => Promise<unknown>) {
    setBusy(true);
    setProblem(null);
    await change({ variables: { name: service.name, idempotencyKey: newKey() } }).catch(setProblem);
    setBusy(false);
  }

  const name = service.name.toLowerCase();
  return (
    <tr data-service={service.name}>
      <th scope="row">{name}</th>
      <td>
        <Badge kind={KINDS[service.state]}>{service.state.toLowerCase()}</Badge>
      </td>
      <td>{moment(service.startedAt)}</td>
      <td>{service.heartbeatAt ? <Age time={service.heartbeatAt} now={now} /> : "–"}</td>
      <td className="muted optional">{service.holder ?? "–"}</td>
      <td className="down">{problem ? sentence(problem) : service.error}</td>
      <td>
        <span className="cell-actions">
          {service.isRunning ? (
            <>
              <button type="button" disabled={busy} onClick={() => void order(restart)} aria-label={`Restart ${name}`}>
                Restart
              </button>
              <button type="button" className="danger" disabled={busy} onClick={() => void order(stop)} aria-label={`Stop ${name}`}>
                Stop
              </button>
            </>
          ) : (
            <button type="button" disabled={busy} onClick={() => void order(start)} aria-label={`Start ${name}`}>
              Start
            </button>
          )}
        </span>
      </td>
    </tr>
  );
}
