// A gateway over our server and a subgraph of invented news.
// stdin: {supergraph, url, authorization, articles, query} → stdout: {answer, fetches}, where fetches are the requests to our server.
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { ApolloGateway, LocalGraphQLDataSource, RemoteGraphQLDataSource } from "@apollo/gateway";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { parse } from "graphql";

const { supergraph, url, authorization, articles, query } = await json(process.stdin);
const fetches = [];

class Fullon extends RemoteGraphQLDataSource {
  willSendRequest({ request }) {
    request.http.headers.set("authorization", authorization);
    fetches.push({ query: request.query, variables: request.variables });
  }
}

const news = buildSubgraphSchema({
  typeDefs: parse(readFileSync(new URL("news.graphql", import.meta.url), "utf8")),
  resolvers: {
    Query: { articles: () => articles },
    Symbol: { articles: ({ id }) => articles.filter(({ about }) => about.some((symbol) => symbol.id === id)) },
  },
});

const gateway = new ApolloGateway({
  supergraphSdl: supergraph,
  buildService: ({ name }) => (name === "news" ? new LocalGraphQLDataSource(news) : new Fullon({ url })),
  logger: { debug() {}, info() {}, warn: console.error, error: console.error },
});
const { schema } = await gateway.load();
const answer = await gateway.executor({
  schema,
  document: parse(query),
  queryHash: "",
  request: { query, variables: {} },
  context: {},
  metrics: {},
  cache: { get: async () => undefined, set: async () => undefined, delete: async () => true },
});
await gateway.stop();
console.log(JSON.stringify({ answer, fetches }));
