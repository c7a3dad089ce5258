// stdin: {library, subgraphs: {name: sdl}} → stdout: {errors, supergraph}
import { json } from "node:stream/consumers";
import { parse } from "graphql";

const { library, subgraphs } = await json(process.stdin);
const { composeServices } = await import(library);
const services = Object.entries(subgraphs).map(([name, sdl]) => ({ name, url: `http://${name}`, typeDefs: parse(sdl) }));
const { errors, supergraphSdl } = composeServices(services);
console.log(JSON.stringify({ errors: (errors ?? []).map((error) => error.message), supergraph: supergraphSdl }));
