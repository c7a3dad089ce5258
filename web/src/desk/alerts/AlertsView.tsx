import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { RuleFieldsFragment } from "../../gql/graphql";
import { Change } from "../Change";
import { moment } from "../format";
import { Badge, Empty, Loading, MoreBelow, Panel, Problem, Table } from "../parts";
import { useRights } from "../rights";
import { useRows } from "../rows";
import { inWords } from "./condition";
import { AlertList, AlertRules, AlertUpdates, DeleteAlert, UpdateAlert } from "./documents";
import { NewRule } from "./NewRule";
import { WebhookTable } from "./WebhookTable";

/** Alerts, the rules that raise them, and the webhooks that receive events. */
export default function AlertsView() {
  return (
    <div className="page">
      <div className="page-title">
        <h1>Alerts</h1>
      </div>
      <div className="columns">
        <Rules />
        <Raised />
      </div>
      <WebhookTable />
    </div>
  );
}

function Raised() {
  const list = useRows({ query: AlertList, events: AlertUpdates, variables: {}, position: ({ alertId }) => alertId });
  return (
    <Panel title="Raised" extra={<Badge kind="good">live</Badge>}>
      {list.error ? (
        <Problem error={list.error} retry={list.readAgain} />
      ) : list.loading ? (
        <Loading rows={5} />
      ) : !list.rows.length ? (
        <Empty>No alert has been raised yet.</Empty>
      ) : (
        <Table
          label="Raised alerts"
          limited
          columns={["Time, UTC", ["Rule", "optional"], "Alert"]}
          below={<MoreBelow after={list.after} reached={list.more} />}
        >
          {list.rows.map((alert) => (
            <tr key={alert.id} data-alert={alert.alertId}>
              <td className="muted">{moment(alert.raisedAt)}</td>
              <td className="optional">{alert.rule?.name ?? "–"}</td>
              <td className="reason">{alert.message}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function Rules() {
  const { data, error, refetch } = useQuery(AlertRules, { fetchPolicy: "cache-and-network" });
  const rights = useRights();
  const mayWrite = rights?.mayWrite("alerts") ?? false;
  const [creating, setCreating] = useState(false);
  const [changing, setChanging] = useState<{ rule: RuleFieldsFragment; how: "switch" | "delete" } | null>(null);
  const rules = data?.alertRules.nodes ?? [];
  const done = () => setChanging(null);
  return (
    <Panel
      title="Rules"
      extra={
        mayWrite && (
          <button type="button" className="primary" onClick={() => setCreating(true)}>
            New rule
          </button>
        )
      }
    >
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={5} />
      ) : !rules.length ? (
        <Empty>There are no rules yet.</Empty>
      ) : (
        <Table label="Rules" limited actions columns={["Rule", "State", ["Last alert", "optional"]]}>
          {rules.map((rule) => (
            <tr key={rule.id} data-rule={rule.ruleId}>
              <th scope="row" className="reason two-lines">
                {rule.name}
                <span className="muted">when {inWords(rule)}</span>
              </th>
              <td>
                <Badge kind={rule.active ? "good" : "calm"}>{rule.active ? "active" : "stopped"}</Badge>
              </td>
              <td className="muted optional">{moment(rule.lastFiredAt)}</td>
              <td>
                {mayWrite && (
                  <span className="cell-actions">
                    <button
                      type="button"
                      onClick={() => setChanging({ rule, how: "switch" })}
                      aria-label={`${rule.active ? "Stop" : "Start"} ${rule.name}`}
                    >
                      {rule.active ? "Stop" : "Start"}
                    </button>
                    <button
                      type="button"
                      className="danger"
                      onClick={() => setChanging({ rule, how: "delete" })}
                      aria-label={`Delete ${rule.name}`}
                    >
                      Delete
                    </button>
                  </span>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {creating && rights && <NewRule rights={rights} onClose={() => setCreating(false)} />}
      {changing?.how === "switch" && (
        <Change
          title={`${changing.rule.active ? "Stop" : "Start"} ${changing.rule.name}`}
          confirm={changing.rule.active ? "Stop" : "Start"}
          mutation={UpdateAlert}
          input={{ input: { ruleId: changing.rule.ruleId, active: !changing.rule.active } }}
          before={{ active: changing.rule.active }}
          after={({ updateAlert }) => ({ active: updateAlert.active })}
          onClose={done}
        />
      )}
      {changing?.how === "delete" && (
        <Change
          title={`Delete ${changing.rule.name}`}
          confirm="Delete"
          danger
          mutation={DeleteAlert}
          input={{ ruleId: changing.rule.ruleId }}
          before={{}}
          after={({ deleteAlert }) => ({ rule: deleteAlert ? "deleted" : "kept" })}
          lists={[AlertRules]}
          onClose={done}
        >
          <p className="muted">The alerts that it has raised remain.</p>
        </Change>
      )}
    </Panel>
  );
}
