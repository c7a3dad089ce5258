// Hive Gateway, over HTTP, server-sent events and WebSocket. HOST and PORT; the rest is in gateway.config.mjs.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { createGatewayRuntime, getGraphQLWSOptions } from "@graphql-hive/gateway-runtime";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { gatewayConfig } from "./gateway.config.mjs";

/** Listens, and returns the address. */
export async function startHive(config, host, port) {
  const runtime = createGatewayRuntime(config);
  const server = createServer(runtime);
  const sockets = new WebSocketServer({ path: runtime.graphqlEndpoint, server });
  const context = ({ extra }) => ({
    req: extra.request,
    request: new runtime.fetchAPI.Request(`http://${extra.request.headers.host}${extra.request.url}`, {
      headers: extra.request.headers,
    }),
  });
  useServer(getGraphQLWSOptions(runtime, context), sockets);
  await new Promise((listening) => server.listen(port, host, listening));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(0)); // the runtime would stay
  return `http://${host}:${server.address().port}/graphql`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { HOST = "127.0.0.1", PORT = "4000" } = process.env;
  console.log(`Hive Gateway at ${await startHive(gatewayConfig, HOST, Number(PORT))}`);
}
