// Apollo Gateway, which has no subscriptions. SUPERGRAPH, HOST and PORT.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { ApolloGateway, RemoteGraphQLDataSource } from "@apollo/gateway";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { parse, print, visit } from "graphql";

const CREDENTIALS = ["authorization", "x-api-key"];

/** Sends the client's credentials to the subgraphs, which decide what it may see. */
class Subgraph extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    for (const [name, value] of Object.entries(context.credentials ?? {})) request.http.headers.set(name, value);
  }
}

/** Apollo Gateway refuses a supergraph with directives of access, which it does not enforce. The subgraphs do. */
function withoutAccess(supergraph) {
  const dropped = ["requiresScopes", "authenticated"];
  const links = dropped.map((name) => `https://specs.apollo.dev/${name}/`);
  return print(
    visit(parse(supergraph), {
      Directive({ name, arguments: [url] }) {
        const linked = name.value === "link" ? url.value.value : "";
        return dropped.includes(name.value) || links.some((link) => linked.startsWith(link)) ? null : undefined;
      },
    }),
  );
}

/** Listens, and returns the address. */
export async function startApollo(supergraph, host, port) {
  const supergraphSdl = withoutAccess(supergraph);
  const gateway = new ApolloGateway({ supergraphSdl, buildService: ({ url }) => new Subgraph({ url }) });
  const server = new ApolloServer({ gateway, csrfPrevention: true, includeStacktraceInErrorResponses: false });
  const context = async ({ req }) => ({
    credentials: Object.fromEntries(CREDENTIALS.filter((name) => req.headers[name]).map((name) => [name, req.headers[name]])),
  });
  const { url } = await startStandaloneServer(server, { context, listen: { host, port } });
  return url;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { SUPERGRAPH = "supergraph.graphql", HOST = "127.0.0.1", PORT = "4000" } = process.env;
  console.log(`Apollo Gateway at ${await startApollo(readFileSync(SUPERGRAPH, "utf8"), HOST, Number(PORT))}`);
}
