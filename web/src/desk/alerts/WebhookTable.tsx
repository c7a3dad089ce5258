import { useMutation, useQuery } from "@apollo/client/react";
import { Fragment, useId, useState } from "react";
import { sentence } from "../../api/errors";
import { newKey } from "../../api/key";
import type { WebhooksQuery } from "../../gql/graphql";
import { fixed, moment } from "../format";
import { Badge, Empty, Loading, Panel, Problem, Table } from "../parts";
import { useRights } from "../rights";
import { TestWebhook, Webhooks } from "./documents";
import { NewWebhook } from "./NewWebhook";

type Webhook = WebhooksQuery["webhooks"]["nodes"][number];

const STATES = { ACTIVE: "good", PAUSED: "calm", FAILED: "bad", DISABLED: "bad" } as const;
const OUTCOMES = { PENDING: "accent", DELIVERED: "good", FAILED: "bad" } as const;

/** The webhooks, each with the log of its deliveries. */
export function WebhookTable() {
  const { data, error, refetch } = useQuery(Webhooks, { fetchPolicy: "cache-and-network", pollInterval: 10_000 });
  const [test, { error: refusal, loading }] = useMutation(TestWebhook, { refetchQueries: [Webhooks] });
  const rights = useRights();
  const mayWrite = rights?.mayWrite("webhooks") ?? false;
  const [creating, setCreating] = useState(false);
  const [opened, setOpened] = useState<string | null>(null);
  const id = useId();
  const webhooks = data?.webhooks.nodes ?? [];
  return (
    <Panel
      title="Webhooks"
      extra={
        <>
          {refusal && <span className="down">{sentence(refusal)}</span>}
          {mayWrite && (
            <button type="button" className="primary" onClick={() => setCreating(true)}>
              New webhook
            </button>
          )}
        </>
      }
    >
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={3} />
      ) : !webhooks.length ? (
        <Empty>There are no webhooks yet.</Empty>
      ) : (
        <Table
          label="Webhooks"
          actions
          columns={["Webhook", ["Address", "optional"], ["Streams", "optional"], "State", "Delivered, UTC"]}
        >
          {webhooks.map((webhook) => (
            <Fragment key={webhook.id}>
              <tr data-webhook={webhook.webhookId}>
                <th scope="row">{webhook.name}</th>
                <td className="muted optional difference">{webhook.url}</td>
                <td className="optional">{webhook.streams.join(", ").toLowerCase()}</td>
                <td title={webhook.reason ?? undefined}>
                  <Badge kind={STATES[webhook.state]}>{webhook.state.toLowerCase()}</Badge>{" "}
                  {webhook.failures > 0 && <span className="stale">{webhook.failures} failures</span>}
                </td>
                <td>{moment(webhook.deliveredAt)}</td>
                <td>
                  <span className="cell-actions">
                    {mayWrite && (
                      <button
                        type="button"
                        disabled={loading}
                        onClick={() =>
                          void test({ variables: { webhookId: webhook.webhookId, idempotencyKey: newKey() } }).catch(() => undefined)
                        }
                        aria-label={`Test ${webhook.name}`}
                      >
                        Test
                      </button>
                    )}
                    <button
                      type="button"
                      aria-expanded={opened === webhook.id}
                      aria-controls={`${id}${webhook.webhookId}`}
                      aria-label={`Log of ${webhook.name}`}
                      onClick={() => setOpened(opened === webhook.id ? null : webhook.id)}
                    >
                      Log
                    </button>
                  </span>
                </td>
              </tr>
              {opened === webhook.id && (
                <tr>
                  <td colSpan={6} className="inner" id={`${id}${webhook.webhookId}`}>
                    <Deliveries webhook={webhook} />
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </Table>
      )}
      {creating && rights && <NewWebhook rights={rights} onClose={() => setCreating(false)} />}
    </Panel>
  );
}

function Deliveries({ webhook }: { webhook: Webhook }) {
  const deliveries = webhook.deliveries.nodes;
  if (!deliveries.length) return <Empty>Nothing has been sent yet.</Empty>;
  return (
    <table aria-label={`Deliveries to ${webhook.name}`}>
      <thead>
        <tr>
          <th scope="col">Time, UTC</th>
          <th scope="col">Event</th>
          <th scope="col" className="number">Attempt</th>
          <th scope="col">Outcome</th>
          <th scope="col" className="number">Status</th>
          <th scope="col" className="number optional">ms</th>
          <th scope="col">Error</th>
        </tr>
      </thead>
      <tbody>
        {deliveries.map((delivery) => (
          <tr key={delivery.id}>
            <td className="muted">{moment(delivery.createdAt)}</td>
            <td>{delivery.eventType}</td>
            <td className="number">{delivery.attempt}</td>
            <td>
              <Badge kind={OUTCOMES[delivery.outcome]}>{delivery.outcome.toLowerCase()}</Badge>
            </td>
            <td className="number">{delivery.statusCode ?? "–"}</td>
            <td className="number optional muted">{fixed(delivery.durationMs, 0)}</td>
            <td className="muted reason">{delivery.error}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
