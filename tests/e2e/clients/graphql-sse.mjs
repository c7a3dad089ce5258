// stdin: {url, token, operations, retryAttempts}
import { setTimeout } from "node:timers/promises";
import { connect } from "./setup/graphql-sse.mjs";
import { run } from "./run.mjs";
import { accessToken, input } from "./messages.mjs";

const { retryAttempts = Infinity } = input;
await run(connect(input.url, accessToken, { retryAttempts, retry: () => setTimeout(20) }));
