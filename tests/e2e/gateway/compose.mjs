// stdin: {library, subgraphs: {name: sdl}, urls: {name: url}} → stdout: {errors, supergraph, api}
// `api` is the schema that clients of the gateway see.
import { json } from "node:stream/consumers";
import { parse, print, printSchema } from "graphql";

const { library, subgraphs, urls } = await json(process.stdin);
const composer = await import(library);
const services = Object.entries(subgraphs).map(([name, sdl]) => {
  return { name, url: urls?.[name] ?? `http://${name}`, typeDefs: parse(sdl) };
});

/** Of Apollo and The Guild. */
async function composeServices() {
  const { errors, supergraphSdl } = composer.composeServices(services);
  const { transformSupergraphToPublicSchema } = await import("@theguild/federation-composition");
  const api = supergraphSdl && print(transformSupergraphToPublicSchema(parse(supergraphSdl)));
  return { errors, supergraph: supergraphSdl, api };
}

/** Of WunderGraph. */
function federateSubgraphs() {
  const definitions = services.map(({ name, url, typeDefs }) => ({ name, url, definitions: typeDefs }));
  const composed = composer.federateSubgraphs({ subgraphs: definitions, version: "1" });
  if (!composed.success) return composed;
  return { supergraph: print(composed.federatedGraphAST), api: printSchema(composed.federatedGraphClientSchema) };
}

const { errors, supergraph, api } = await (composer.federateSubgraphs ? federateSubgraphs : composeServices)();
console.log(JSON.stringify({ errors: (errors ?? []).map((error) => error.message), supergraph, api }));
