/** The one WebSocket of a page: it comes back by itself, and lives on when its token is renewed. */
import { type Client, createClient } from "graphql-ws";
import { credential, REFUSED, SignedOut } from "./session";

/** What the page shows of its connection. */
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

/** Milliseconds of silence after which the client asks whether the server is there, and how long it then waits. */
const KEEP_ALIVE = 10_000;
const ANSWER_WITHIN = 5_000;

const NORMAL = 1000;
/** The token or its session has ended, or what the account may do has changed. */
const FORBIDDEN = 4403;
/** Close codes after which it is no use to come back: the client has made a mistake. */
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
    // What is no Error has come from the connection, as when the server is restarted.
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
          // A ping with a token of the same account keeps the socket, and all that runs on it, alive.
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

/** The credential for a new connection. While the token cannot be renewed for want of a network, wait for that. */
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

/** Wait; shorter if the browser says meanwhile that the network is back. */
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
