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

/** Keeps the status of a bot up to date in all views. `id` is the bot's id in the graph. */
export function useStatus(id: string | undefined, botId: number): void {
  useSubscription(StatusUpdates, {
    variables: { botId },
    skip: !id,
    ignoreResults: true,
    onData: ({ client, data: { data } }) => {
      // The cache has the statuses already, but not the list of those that the bot has.
      client.cache.writeFragment({
        id: client.cache.identify({ __typename: "Bot", id }),
        fragment: StatusOfBot,
        fragmentName: "StatusOfBot",
        data: { __typename: "Bot", status: data?.botStatus ?? [] } as never,
      });
    },
  });
}
