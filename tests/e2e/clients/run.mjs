// Runs what is given, one operation after another, on a client of either library.
import { follow } from "./setup/follow.mjs";
import { given, say } from "./talk.mjs";

const ran = (client, { query, variables = {}, take = Infinity }) =>
  new Promise((over) => {
    const stop = follow(client, query, variables, {
      next(result) {
        say("next", result);
        if (--take === 0) stop();
      },
      error(error) {
        const { code, message, response } = error;
        say("error", Array.isArray(error) ? error : { code, message, status: response?.status });
        over();
      },
      complete() {
        say("complete");
        over();
      },
    });
  });

export async function run(client) {
  for (const operation of given.operations) await ran(client, operation);
}
