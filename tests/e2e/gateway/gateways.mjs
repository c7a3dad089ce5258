// The gateways of deploy/federation. stdin: {supergraph}, then nothing until the end → stdout: {name: url}.
import { createInterface } from "node:readline";
import { startApollo } from "../../../deploy/federation/apollo.mjs";
import { configured } from "../../../deploy/federation/gateway.config.mjs";
import { startHive } from "../../../deploy/federation/hive.mjs";

const HOST = "127.0.0.1";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { supergraph } = JSON.parse((await lines.next()).value);

const urls = { apollo: await startApollo(supergraph, HOST, 0) };
for (const [planner, streams] of [["javascript", "ws"], ["rust", "sse"]]) {
  urls[`${planner} ${streams}`] = await startHive(configured({ supergraph, planner, streams }), HOST, 0);
}
console.log(JSON.stringify(urls));
await lines.next();
process.exit(0);
