import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { RetryLink } from "@apollo/client/link/retry";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";

const subscribes = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;

/** Subscriptions use `socket`, a client of graphql-ws, or without it multipart over HTTP. */
export function connect(url, accessToken, socket) {
  const signedIn = new SetContextLink(async ({ headers }) => ({
    headers: { ...headers, authorization: `Bearer ${await accessToken()}` },
  }));
  const http = signedIn.concat(new HttpLink({ uri: url }));
  const streams = socket ? new GraphQLWsLink(socket) : new RetryLink({ attempts: { max: Infinity } }).concat(http);
  return new ApolloClient({ link: ApolloLink.split(subscribes, streams, http), cache: new InMemoryCache() });
}
