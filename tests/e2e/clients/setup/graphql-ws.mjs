import { createClient } from "graphql-ws";

/** A client of graphql-ws that reconnects. */
export function connect(url, accessToken, options) {
  let socket;
  const credential = async () => ({ authorization: `Bearer ${await accessToken()}` });
  return createClient({
    url,
    connectionParams: credential,
    retryAttempts: Infinity,
    // Anything but an Error is a failed connection, for example while the server restarts.
    shouldRetry: (failure) => !(failure instanceof Error),
    on: {
      opened: (opened) => { socket = opened; },
      ping: async (received, payload) => {
        if (received && payload?.type === "token-expiring") {
          socket.send(JSON.stringify({ type: "ping", payload: await credential() }));
        }
      },
    },
    ...options,
  });
}
