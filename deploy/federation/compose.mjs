// Composes the subgraphs that run at the addresses ORM, OHLCV and CACHE, and writes the supergraph to SUPERGRAPH.
import { writeFileSync } from "node:fs";
import { composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";

const { ORM, OHLCV, CACHE, SUPERGRAPH = "supergraph.graphql" } = process.env;

async function service([name, url]) {
  if (!url) throw new Error(`${name.toUpperCase()} is not set: the address of the subgraph, with /graphql.`);
  const body = JSON.stringify({ query: "{ _service { sdl } }" });
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const { data, errors } = await response.json();
  if (!data) throw new Error(`${url} has no schema: ${JSON.stringify(errors)}`);
  return { name, url, typeDefs: parse(data._service.sdl) };
}

const services = await Promise.all(Object.entries({ orm: ORM, ohlcv: OHLCV, cache: CACHE }).map(service));
const { errors, supergraphSdl } = composeServices(services);
if (errors?.length) throw new Error(errors.map(({ message }) => message).join("\n"));
writeFileSync(SUPERGRAPH, supergraphSdl);
