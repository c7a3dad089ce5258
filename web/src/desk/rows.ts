/**
 * A list of rows, the newest first, that grows at both ends: at the top by events, at the bottom by pages.
 *
 * Its query calls the connection `rows`, its subscription calls the event `event` and the event's row `row`. A row that
 * changes is one object in the cache, so all views show it. Only a new row must be added at the top.
 */
import type { OperationVariables, TypedDocumentNode } from "@apollo/client";
import { NetworkStatus } from "@apollo/client";
import { useQuery, useSubscription } from "@apollo/client/react";
import { useCallback, useEffect, useRef } from "react";

interface Row {
  id: string;
}

export interface RowsData<R extends Row> {
  rows: {
    edges: { cursor: string; node: R }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}

export interface EventData<R extends Row> {
  event: { cursor: string; kind: string; row: R | null };
}

interface Options<R extends Row, V extends OperationVariables, W extends OperationVariables> {
  query: TypedDocumentNode<RowsData<R>, V>;
  variables: V;
  events: TypedDocumentNode<EventData<R>, W>;
  eventVariables: W;
  /** Whether a new row belongs to this list; by default every row does. */
  belongs?: (row: R) => boolean;
}

/** Milliseconds after which the list is read again, to include rows committed while the stream started. */
const SETTLED = 1500;

export function useRows<R extends Row, V extends OperationVariables, W extends OperationVariables>({
  query,
  variables,
  events,
  eventVariables,
  belongs = () => true,
}: Options<R, V, W>) {
  const result = useQuery(query as TypedDocumentNode<RowsData<R>, OperationVariables>, {
    variables,
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
    notifyOnNetworkStatusChange: true,
  });
  const { client, data, fetchMore, refetch } = result;
  const key = JSON.stringify(variables);
  const readAgain = useCallback(() => void refetch().catch(() => undefined), [refetch]);

  useEffect(() => {
    const timer = setTimeout(readAgain, SETTLED);
    return () => clearTimeout(timer);
  }, [key, readAgain]);

  useSubscription(events as TypedDocumentNode<EventData<R>, OperationVariables>, {
    variables: eventVariables,
    ignoreResults: true,
    context: { onGap: readAgain },
    onData: ({ data: { data } }) => {
      const event = data?.event as EventData<R>["event"] | undefined;
      if (event?.kind === "DELETED") readAgain();
      if (event?.kind === "CREATED" && event.row && belongs(event.row)) prepend(event.row);
    },
  });

  function prepend(row: R) {
    client.cache.updateQuery<RowsData<R>>({ query: query as never, variables: variables as never }, (before) => {
      if (!before || before.rows.edges.some(({ node }) => node.id === row.id)) return undefined;
      const edge = { __typename: `${(row as { __typename?: string }).__typename}Edge`, cursor: row.id, node: row };
      return { ...before, rows: { ...before.rows, edges: [edge, ...before.rows.edges] } } as RowsData<R>;
    });
  }

  const fetching = useRef(false);
  const pageInfo = data?.rows?.pageInfo;
  const more = useCallback(() => {
    if (fetching.current || !pageInfo?.hasNextPage) return;
    fetching.current = true;
    void fetchMore({ variables: { after: pageInfo.endCursor } })
      .catch(() => undefined)
      .finally(() => (fetching.current = false));
  }, [fetchMore, pageInfo]);

  return {
    rows: (data?.rows?.edges.map(({ node }) => node) ?? []) as R[],
    loading: !data && result.loading,
    loadingMore: result.networkStatus === NetworkStatus.fetchMore,
    error: data ? undefined : result.error,
    hasMore: pageInfo?.hasNextPage ?? false,
    more,
    readAgain,
  };
}
