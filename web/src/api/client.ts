/** Apollo Client, put together: queries and changes by HTTP, subscriptions on the socket. */
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

/** A client for one account. When another signs in, make a new one: nothing of the first must remain in the cache. */
export function createClient(socket: Socket): ApolloClient {
  const streams = ApolloLink.from([resumeLink, new GraphQLWsLink(socket)]);
  const requests = ApolloLink.from([retryLink, errorLink, signedIn, new HttpLink({ uri: "/graphql", fetch: impatientFetch })]);
  return new ApolloClient({
    link: ApolloLink.split(({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION, streams, requests),
    cache: createCache(),
    defaultOptions: { watchQuery: { errorPolicy: "all" } },
  });
}

/**
 * Ask again while the server cannot be reached: queries, and changes with an idempotency key, which are made once
 * however often they are sent. What the server has answered with an error is not asked again.
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

const impatientFetch: typeof fetch = (input, init) =>
  fetch(input, { ...init, signal: AbortSignal.any([AbortSignal.timeout(30_000), ...(init?.signal ? [init.signal] : [])]) });

/** Every request carries a credential that is good. */
const signedIn = new SetContextLink(async ({ headers, endsBy }) => ({ headers: { ...headers, ...(await credential(endsBy)) } }));

/** The server refuses the credential: renew it and ask once more. Any other error goes to whoever has asked. */
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
    /** The credential must last until then, in milliseconds; REFUSED for another than the one there is. */
    endsBy?: number;
  }
}
