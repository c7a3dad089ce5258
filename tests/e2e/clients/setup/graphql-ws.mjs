import { createClient } from "graphql-ws";

/** A client of graphql-ws that comes back by itself. */
export function connect(url, accessToken, options) {
  let socket;
  const credential = async () => ({ authorization: `Bearer ${await accessToken()}` });
  return createClient({
    url,
    connectionParams: credential,
    retryAttempts: Infinity,
    // What is no Error has come from the connection: nobody listens while the server is restarted.
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
