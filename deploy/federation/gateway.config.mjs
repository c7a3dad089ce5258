// The configuration of Hive Gateway: `hive.mjs` uses it, and so does `hive-gateway supergraph` of @graphql-hive/gateway.
//
// SUPERGRAPH  file or URL of the supergraph, which compose.mjs writes; default supergraph.graphql
// PLANNER     javascript (default) or rust, the planner of Hive Router
// STREAMS     how subscriptions reach the subgraphs: ws (default), one socket per token, or sse, one request each
import { unifiedGraphHandler } from "@graphql-hive/router-runtime";
import { GraphQLError } from "graphql";

const CREDENTIALS = ["authorization", "x-api-key"];

/** The client's credentials: from the headers of its request, or from its `connection_init` message. */
function credentials({ request, connectionParams }) {
  const found = {};
  for (const name of CREDENTIALS) {
    const value = connectionParams?.[name] ?? request?.headers?.get(name);
    if (value) found[name] = value;
  }
  return found;
}

function unauthenticated() {
  const message = "Sign in first: this needs a valid access token or API key.";
  return new GraphQLError(message, { extensions: { code: "UNAUTHENTICATED" } });
}

/** Sends the client's credentials to the subgraphs, which decide what it may see. */
const forwardedCredentials = {
  onContextBuilding: ({ context, extendContext }) => extendContext({ credentials: credentials(context) }),
  onSubgraphExecute({ executionRequest, setExecutor }) {
    const found = executionRequest.context?.credentials ?? {};
    if (executionRequest.operationType === "subscription" && !Object.keys(found).length) {
      setExecutor(() => ({ errors: [unauthenticated()] })); // a subgraph would refuse the socket, and the gateway retry
    }
    const headers = { ...executionRequest.extensions?.headers, ...found };
    executionRequest.extensions = { ...executionRequest.extensions, headers };
  },
};

const OVER_SOCKETS = {
  kind: "ws",
  location: "/graphql",
  options: {
    connectionParams: {
      authorization: "{context.credentials.authorization}",
      "x-api-key": "{context.credentials.x-api-key}",
    },
  },
};

export function configured({ supergraph, planner, streams }) {
  return {
    supergraph,
    graphqlEndpoint: "/graphql",
    logging: "warn",
    landingPage: false,
    ...(planner === "rust" && { unifiedGraphHandler }),
    ...(streams === "ws" && { transportEntries: { "*.http": { options: { subscriptions: OVER_SOCKETS } } } }),
    // The rows of a whole list become one request. By default the JavaScript planner sends those of each parent.
    __experimental__batchDelegateOptions: { batchScheduleFn: setImmediate },
    plugins: () => [forwardedCredentials],
  };
}

export const gatewayConfig = configured({
  supergraph: process.env.SUPERGRAPH ?? "supergraph.graphql",
  planner: process.env.PLANNER ?? "javascript",
  streams: process.env.STREAMS ?? "ws",
});
