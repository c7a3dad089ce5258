// stdin: {url, token, renews, operations, mischief: {moment: message}}
import "./websocket.mjs";
import { setTimeout } from "node:timers/promises";
import { run } from "./run.mjs";
import { connect } from "./setup/graphql-ws.mjs";
import { accessToken, given, say } from "./talk.mjs";

const client = connect(given.url, accessToken, {
  retryWait: () => setTimeout(20),
  lazyCloseTimeout: 60_000, // one socket for all operations
  ...(given.renews === false && { on: {} }),
});
client.on("connected", () => say("connected"));
client.on("closed", ({ code, reason }) => say("closed", { code, reason }));
client.on("pong", (received, payload) => received && say("pong", payload));
for (const [moment, message] of Object.entries(given.mischief ?? {})) {
  client.on(moment, (socket) => socket.send(message));
}
await run(client);
