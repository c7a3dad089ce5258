// A typed client: a query and a mutation over HTTP, a subscription on a socket. stdin: {url, socketUrl, token}
import { readFileSync } from "node:fs";
import { createClient } from "graphql-ws";
import { BotsDocument, PriceDocument, RenameBotDocument, type TypedDocumentString } from "./generated/graphql.js";

const input = JSON.parse(readFileSync(0, "utf8")) as { url: string; socketUrl: string; token: string };
const credential = { authorization: `Bearer ${input.token}` };

async function execute<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Result> {
  const response = await fetch(input.url, {
    method: "POST",
    headers: { "content-type": "application/json", ...credential },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Result; errors?: { message: string }[] };
  if (!data || errors) throw new Error(JSON.stringify(errors));
  return data;
}

const { bots } = await execute(BotsDocument, { last: 2 });
const [bot] = bots.nodes;
if (!bot) throw new Error("no bot");
const { updateBot } = await execute(RenameBotDocument, { botId: bot.botId, name: "renamed" });

// @ts-expect-error: the compiler refuses a variable of another type.
const wrong: Parameters<typeof execute<unknown, { botId: number }>>[1] = { botId: "1" };
void wrong;

const socket = createClient({ url: input.socketUrl, connectionParams: credential });
const { symbol, price } = await first(PriceDocument, { exchange: "kraken", symbol: "BTC/USD" });
await socket.dispose();

async function first<Result extends { ticker: unknown }, Variables extends Record<string, unknown>>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Result["ticker"]> {
  for await (const event of socket.iterate<Result>({ query: document.toString(), variables })) {
    if (event.data) return event.data.ticker;
    throw new Error(JSON.stringify(event.errors));
  }
  throw new Error("no event");
}

const since: string = bot.timestamp;
console.log(JSON.stringify({ total: bots.totalCount, since, name: updateBot.name, symbol, price: price.toFixed(2) }));
