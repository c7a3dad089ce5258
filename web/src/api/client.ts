/** The Apollo Client: queries and mutations over HTTP, subscriptions on the socket. */
import { ApolloClient, ApolloLink, HttpLink } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { RetryLink } from "@apollo/client/link/retry";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import type { Client as Socket } from "graphql-ws";
import { createCache } from "./cache";
import { codeOf, isUnreachable } from "./errors";
import { resumeLink } from "./resume";
import { credential, REFUSED } from "./session";

/** A client for one account. Create a new one for the next account, so that no data of the first remains in the cache. */
export function createClient(socket: Socket): ApolloClient {
  const streams = ApolloLink.from([resumeLink, new GraphQLWsLink(socket)]);
  const requests = ApolloLink.from([retryLink, errorLink, signedIn, new HttpLink({ uri: "/graphql", fetch: fetchWithTimeout })]);
  return new ApolloClient({
    link: ApolloLink.split(({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION, streams, requests),
    cache: createCache(),
    defaultOptions: { watchQuery: { errorPolicy: "all" } },
  });
}

/**
 * Retries while the server cannot be reached: queries, and mutations with an idempotency key, which are executed once
 * even if they are sent repeatedly. Errors in an answer of the server are not retried.
 */
const retryLink = new RetryLink({
  delay: { initial: 300, max: 4_000, jitter: true },
  attempts: {
    max: Infinity,
    retryIf: (error, { operationType, variables }) =>
      isUnreachable(error) &&
      (operationType === OperationTypeNode.QUERY || "idempotencyKey" in variables),
  },
});

const fetchWithTimeout: typeof fetch = (input, init) =>
  fetch(input, { ...init, signal: AbortSignal.any([AbortSignal.timeout(30_000), ...(init?.signal ? [init.signal] : [])]) });

/** Adds a valid credential to every request. */
const signedIn = new SetContextLink(async ({ headers, endsBy }) => ({ headers: { ...headers, ...(await credential(endsBy)) } }));

/** Renews a refused credential and repeats the request once. All other errors are passed on to the caller. */
const errorLink = new ErrorLink(({ error, operation, forward }) => {
  if (codeOf(error) !== "UNAUTHENTICATED" || operation.getContext().endsBy === REFUSED) return;
  operation.setContext({ endsBy: REFUSED });
  return forward(operation);
});

declare module "@apollo/client" {
  namespace ApolloClient {
    namespace DeclareDefaultOptions {
      interface WatchQuery {
        errorPolicy: "all";
      }
    }
  }
  interface DefaultContext {
    /** Time in milliseconds until which the credential must be valid; REFUSED requires another than the current one. */
    endsBy?: number;
  }
}
