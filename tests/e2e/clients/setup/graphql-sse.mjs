import { createClient } from "graphql-sse";

/** A client of graphql-sse that reconnects. */
export const connect = (url, accessToken, options) =>
  createClient({
    url,
    headers: async () => ({ authorization: `Bearer ${await accessToken()}` }),
    retryAttempts: Infinity,
    ...options,
  });
