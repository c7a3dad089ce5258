// stdin: {url, token, operations, retryAttempts}
import { setTimeout } from "node:timers/promises";
import { connect } from "./setup/graphql-sse.mjs";
import { run } from "./run.mjs";
import { accessToken, given } from "./talk.mjs";

const { retryAttempts = Infinity } = given;
await run(connect(given.url, accessToken, { retryAttempts, retry: () => setTimeout(20) }));
