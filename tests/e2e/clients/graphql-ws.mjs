// stdin: {url, token, renews, operations, invalidMessages: {moment: message}}
import "./websocket.mjs";
import { setTimeout } from "node:timers/promises";
import { run } from "./run.mjs";
import { connect } from "./setup/graphql-ws.mjs";
import { accessToken, input, send } from "./messages.mjs";

const client = connect(input.url, accessToken, {
  retryWait: () => setTimeout(20),
  lazyCloseTimeout: 60_000, // one socket for all operations
  ...(input.renews === false && { on: {} }),
});
client.on("connected", () => send("connected"));
client.on("closed", ({ code, reason }) => send("closed", { code, reason }));
client.on("pong", (received, payload) => received && send("pong", payload));
for (const [moment, message] of Object.entries(input.invalidMessages ?? {})) {
  client.on(moment, (socket) => socket.send(message));
}
await run(client);
