// GraphiQL as the page sets it up, without what it draws. stdin: {url, operations: [{query, headers, take}]}
import "./websocket.mjs";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import * as GraphQL from "graphql";
import { given, say } from "./talk.mjs";

const page = await (await fetch(given.url, { headers: { accept: "text/html" } })).text();
const [, script] = page.match(/<script>(.*)<\/script>/s);
const around = {
  window: { location: new URL(given.url) },
  document: { getElementById() {} },
  Cookies: { get() {} },
  React: { createElement() {} },
  ReactDOM: { createRoot: () => ({ render() {} }) },
  GraphiQL: { createFetcher: (options) => createGraphiQLFetcher({ fetch, ...options }), GraphQL },
};
const fetcher = new Function(...Object.keys(around), `${script}; return fetcher;`)(...Object.values(around));

for (const { query, headers, take = 1 } of given.operations) {
  const answer = await fetcher({ query }, { headers, documentAST: GraphQL.parse(query) });
  let left = take;
  for await (const each of answer[Symbol.asyncIterator] ? answer : [answer]) {
    say("answer", each);
    if (--left === 0) break;
  }
}
