// Messages between a script and its test: lines of JSON. The first line is the input of the script.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
process.stdin.on("end", () => process.exit());

const receive = async () => JSON.parse((await lines.next()).value);

export const send = (kind, value) => console.log(JSON.stringify({ [kind]: value ?? null }));

export const input = await receive();

/** The token in the input; without one each call requests a token from the test, which may answer null. */
export async function accessToken() {
  if (input.token) return input.token;
  send("needsToken");
  const token = await receive();
  if (!token) throw new Error("signed out");
  return token;
}
