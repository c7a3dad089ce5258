// Runs the operations of the input one after another, on a client of either library.
import { follow } from "./setup/follow.mjs";
import { input, send } from "./messages.mjs";

const runOne = (client, { query, variables = {}, take = Infinity }) =>
  new Promise((resolve) => {
    const stop = follow(client, query, variables, {
      next(result) {
        send("next", result);
        if (--take === 0) stop();
      },
      error(error) {
        const { code, message, response } = error;
        send("error", Array.isArray(error) ? error : { code, message, status: response?.status });
        resolve();
      },
      complete() {
        send("complete");
        resolve();
      },
    });
  });

export async function run(client) {
  for (const operation of input.operations) await runOne(client, operation);
}
