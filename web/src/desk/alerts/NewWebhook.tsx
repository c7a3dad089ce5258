import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { WebhookStream } from "../../gql/graphql";
import { Change } from "../Change";
import { OwnBots } from "../portfolio/documents";
import type { Rights } from "../rights";
import { CreateWebhook, Webhooks } from "./documents";

const STREAMS: Record<WebhookStream, string> = {
  ORDERS: "orders",
  TRADES: "trades",
  DRY_TRADES: "simulated trades",
  BOT_LOGS: "logs of bots",
  BOTS: "bots",
  ALERTS: "alerts",
  AUDIT_LOG: "audit log",
};
/** Streams whose events name no bot. */
const WITHOUT_BOT = new Set<WebhookStream>(["TRADES", "AUDIT_LOG"]);

/** The dialog that creates a webhook, and then shows its secret, which cannot be read again. */
export function NewWebhook({ rights, onClose }: { rights: Rights; onClose(): void }) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [streams, setStreams] = useState<WebhookStream[]>(["ALERTS"]);
  const [botId, setBotId] = useState<number | null>(null);
  const bots = useQuery(OwnBots, { variables: { uid: rights.uid } }).data?.bots.nodes ?? [];
  const offered = (Object.keys(STREAMS) as WebhookStream[]).filter((stream) => stream !== "AUDIT_LOG" || rights.admin);
  const ofBots = !streams.some((stream) => WITHOUT_BOT.has(stream));
  const input = { name: name.trim() || host(url), url, streams, botId: ofBots ? botId : null };

  return (
    <Change
      title="New webhook"
      confirm="Create"
      mutation={CreateWebhook}
      input={{ input }}
      before={{}}
      after={({ createWebhook: { webhook } }) => ({ "sends to": webhook.url, events: webhook.streams.join(", ").toLowerCase() })}
      done={({ createWebhook }) => (
        <>
          <p>This secret signs the events. Copy it now: it cannot be read again.</p>
          <p>
            <code className="secret">{createWebhook.secret}</code>
          </p>
        </>
      )}
      lists={[Webhooks]}
      onClose={onClose}
    >
      <label>
        Address
        <input type="url" value={url} placeholder="https://" pattern="https?://.+" required onChange={({ target }) => setUrl(target.value)} />
      </label>
      <label>
        Name
        <input value={name} placeholder={host(url)} onChange={({ target }) => setName(target.value)} />
      </label>
      <fieldset>
        <legend>Events of</legend>
        {offered.map((stream) => (
          <label key={stream} className="check">
            <input
              type="checkbox"
              checked={streams.includes(stream)}
              onChange={({ target }) => setStreams(offered.filter((one) => (one === stream ? target.checked : streams.includes(one))))}
            />
            {STREAMS[stream]}
          </label>
        ))}
      </fieldset>
      {ofBots && (
        <label>
          Bot
          <select value={botId ?? ""} onChange={({ target }) => setBotId(Number(target.value) || null)}>
            <option value="">all bots</option>
            {bots.map((bot) => (
              <option key={bot.id} value={bot.botId}>
                {bot.name}
              </option>
            ))}
          </select>
        </label>
      )}
    </Change>
  );
}

/** The host of an address, as the name that is suggested. */
const host = (url: string): string => (URL.canParse(url) ? new URL(url).host : "");
