/** The WebSocket of a page: it reconnects, and stays open when its token is renewed. */
import { type Client, createClient } from "graphql-ws";
import { credential, REFUSED, SignedOut } from "./session";

/** The state of the connection, as the page shows it. */
export type Connection = "idle" | "connecting" | "open" | "broken";

let connection: Connection = "idle";
const listeners = new Set<() => void>();

export const currentConnection = (): Connection => connection;

export function onConnection(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function become(state: Connection): void {
  connection = state;
  for (const listener of listeners) listener();
}

/** Milliseconds of silence before a ping, and milliseconds to wait for its answer. */
const KEEP_ALIVE = 10_000;
const ANSWER_WITHIN = 5_000;

const NORMAL = 1000;
/** The token or its session has ended, or the rights of the account have changed. */
const FORBIDDEN = 4403;
/** Close codes after which the client must not reconnect: it has violated the protocol. */
const MISTAKES = new Set([4400, 4401, 4406, 4409, 4429, 4500]);

export function createSocket(url = "/graphql"): Client {
  let socket: WebSocket | null = null;
  let answerIsDue: ReturnType<typeof setTimeout> | undefined;
  let refused = false;
  const client = createClient({
    url: new URL(url, location.href.replace(/^http/, "ws")).href,
    connectionParams: () => patientCredential(refused ? REFUSED : 0),
    lazy: true,
    lazyCloseTimeout: 3_000,
    keepAlive: KEEP_ALIVE,
    retryAttempts: Infinity,
    retryWait: (retries) => sleep(Math.min(250 * 2 ** retries, 4_000) * (0.75 + Math.random() / 2)),
    // Anything but an Error is a failed connection, for example while the server restarts.
    shouldRetry: (failure) => !(failure instanceof Error) && !MISTAKES.has((failure as CloseEvent).code),
    on: {
      connecting: () => become(connection === "broken" ? "broken" : "connecting"),
      opened: (opened) => {
        socket = opened as WebSocket;
      },
      connected: () => {
        refused = false;
        become("open");
      },
      closed: (event) => {
        const { code } = event as CloseEvent;
        clearTimeout(answerIsDue);
        refused = code === FORBIDDEN;
        become(code === NORMAL ? "idle" : "broken");
      },
      ping: async (received, payload) => {
        if (!received) {
          answerIsDue = setTimeout(() => client.terminate(), ANSWER_WITHIN);
        } else if (payload?.type === "token-expiring") {
          // A ping with a token of the same account keeps the socket and its subscriptions open.
          const renewed = await credential(Date.parse(String(payload.expiresAt))).catch(() => null);
          if (renewed) socket?.send(JSON.stringify({ type: "ping", payload: renewed }));
        }
      },
      pong: (received) => {
        if (received) clearTimeout(answerIsDue);
      },
    },
  });
  return client;
}

/** The credential for a new connection. Waits for the network if the token cannot be renewed without it. */
async function patientCredential(endsBy: number): Promise<Record<string, unknown>> {
  for (;;) {
    try {
      return await credential(endsBy);
    } catch (error) {
      if (error instanceof SignedOut) throw error;
      await sleep(1_000);
    }
  }
}

/** Wait, but no longer than until the browser reports that the network is back. */
function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
  });
}
