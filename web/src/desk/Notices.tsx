import { useSubscription } from "@apollo/client/react";
import { useState } from "react";
import { Link } from "wouter";
import { NewAlerts } from "./alerts/documents";
import type { AlertRowFragment } from "../gql/graphql";
import { Icon } from "../ui/Icon";

/** The number of notices that are shown at once. */
const MOST = 3;

/** Alerts as they are raised, in every view, until they are closed. */
export function Notices() {
  const [alerts, setAlerts] = useState<AlertRowFragment[]>([]);
  useSubscription(NewAlerts, {
    ignoreResults: true,
    onData: ({ data: { data } }) => {
      const alert = data?.alerts.kind === "CREATED" ? data.alerts.alertEvent : null;
      if (alert) setAlerts((before) => [alert, ...before].slice(0, MOST));
    },
  });
  const close = (id: string) => setAlerts((before) => before.filter((one) => one.id !== id));
  return (
    <div className="notices" role="log" aria-label="New alerts">
      {alerts.map(({ id, rule, message }) => (
        <div key={id} className="notice">
          <Icon name="alerts" />
          <p>
            <Link href="/alerts">{rule?.name ?? "Alert"}</Link>
            {message}
          </p>
          <button type="button" className="icon-button" aria-label={`Close: ${rule?.name ?? message}`} onClick={() => close(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
