// stdin: {url, socketUrl, token, queries, watched, subscriptions, take}
import "./websocket.mjs";
import { CombinedGraphQLErrors, gql } from "@apollo/client";
import * as apollo from "./setup/apollo.mjs";
import { connect } from "./setup/graphql-ws.mjs";
import { accessToken, input, send } from "./messages.mjs";

const { url, socketUrl, queries = [], watched = [], subscriptions = [], take = Infinity } = input;
const socket = socketUrl && connect(socketUrl, accessToken);
const client = apollo.connect(url, accessToken, socket);

const fail = (error) =>
  send("error", CombinedGraphQLErrors.is(error) ? error.errors.map(({ extensions }) => extensions.code) : `${error}`);

for (const query of queries) {
  await client.query({ query: gql(query) }).then(({ data }) => send("answer", data), fail);
}
for (const query of watched) {
  client.watchQuery({ query: gql(query) }).subscribe(({ data }) => data && send("watched", data));
}
for (const query of subscriptions) {
  let left = take;
  const subscription = client.subscribe({ query: gql(query) }).subscribe({
    next({ data, error }) {
      if (error) fail(error);
      else send("next", data);
      if (--left === 0) subscription.unsubscribe();
    },
    complete: () => send("complete"),
  });
}
