// How a script talks with its test: in lines of JSON. The first one that comes is what it is given.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
process.stdin.on("end", () => process.exit()); // whatever is still going on

const heard = async () => JSON.parse((await lines.next()).value);

export const say = (kind, value) => console.log(JSON.stringify({ [kind]: value ?? null }));

export const given = await heard();

/** The token that is given, or else what the test says whenever one is needed; it may have none. */
export async function accessToken() {
  if (given.token) return given.token;
  say("asks");
  const token = await heard();
  if (!token) throw new Error("signed out");
  return token;
}
