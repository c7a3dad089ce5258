import { useSubscription } from "@apollo/client/react";
import { graphql } from "../../gql";
import { StatusUpdates } from "./documents";

const StatusOfBot = graphql(`
  fragment StatusOfBot on Bot {
    status {
      ...StatusFields
    }
  }
`);

/** Keep what a bot says about itself up to date, wherever it is shown. `id` is the bot's id in the graph. */
export function useStatus(id: string | undefined, botId: number): void {
  useSubscription(StatusUpdates, {
    variables: { botId },
    skip: !id,
    ignoreResults: true,
    onData: ({ client, data: { data } }) => {
      // The statuses themselves are in the cache already. That the bot has just these is not.
      client.cache.writeFragment({
        id: client.cache.identify({ __typename: "Bot", id }),
        fragment: StatusOfBot,
        fragmentName: "StatusOfBot",
        data: { __typename: "Bot", status: data?.botStatus ?? [] } as never,
      });
    },
  });
}
