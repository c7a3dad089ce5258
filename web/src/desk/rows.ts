/**
 * A list of rows, the newest first, that grows at both ends: at the top by events, at the bottom by pages.
 *
 * The list and the stream of its changes join without a gap: the query selects `cursor`, the position of the feed before
 * the rows were read, and the subscription begins after it. Both have the same filter. The query calls the connection
 * `rows`, the subscription calls the event `event` and the event's row `row`.
 */
import type { OperationVariables, TypedDocumentNode } from "@apollo/client";
import { NetworkStatus } from "@apollo/client";
import { useQuery, useSubscription } from "@apollo/client/react";
import { useCallback, useRef } from "react";

interface Row {
  id: string;
}

export interface RowsData<R extends Row> {
  rows: {
    cursor: string;
    edges: { cursor: string; node: R }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}

export interface EventData<R extends Row> {
  event: { cursor: string; rowId: string | null; row: R | null };
}

interface Options<R extends Row, V extends OperationVariables, W extends OperationVariables> {
  query: TypedDocumentNode<RowsData<R>, V>;
  events: TypedDocumentNode<EventData<R>, W>;
  /** The variables of both; `after` is added. */
  variables: V & W;
  /** The column by which the query orders the list, descending, as a number. */
  position: (row: R) => number;
}

/** The states in which what the cache has may be old: the stream begins after the list of the server. */
const READING = new Set([NetworkStatus.loading, NetworkStatus.setVariables]);

export function useRows<R extends Row, V extends OperationVariables, W extends OperationVariables>({
  query,
  events,
  variables,
  position,
}: Options<R, V, W>) {
  const result = useQuery(query as TypedDocumentNode<RowsData<R>, OperationVariables>, {
    variables,
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
    notifyOnNetworkStatusChange: true,
  });
  const { client, data, fetchMore, networkStatus, refetch } = result;
  const readAgain = useCallback(() => void refetch().catch(() => undefined), [refetch]);

  // A list that is read again has another cursor, and the stream begins again after it.
  const cursor = data?.rows?.cursor;
  useSubscription(events as TypedDocumentNode<EventData<R>, OperationVariables>, {
    variables: { ...variables, after: cursor },
    skip: !cursor || READING.has(networkStatus),
    ignoreResults: true,
    context: { onGap: readAgain },
    onData: ({ data: { data } }) => data && keep((data as EventData<R>).event),
  });

  /** The rule for events of all kinds: an event with a row stores it, an event without a row removes it. */
  function keep({ rowId, row }: EventData<R>["event"]) {
    client.cache.updateQuery<RowsData<R>>({ query: query as never, variables: variables as never }, (before) => {
      if (!before) return undefined;
      const { edges, pageInfo } = before.rows;
      const place = edges.findIndex(({ node }) => node.id === rowId);
      if (!row) return place < 0 ? undefined : withEdges(before, edges.toSpliced(place, 1));
      if (place >= 0) return undefined; // the cache has stored the row, which is one object in all lists
      const older = edges.findIndex(({ node }) => position(node) <= position(row));
      if (older < 0 && pageInfo.hasNextPage) return undefined; // it is on a page that has not been read yet
      const edge = { __typename: `${(row as { __typename?: string }).__typename}Edge`, cursor: row.id, node: row };
      return withEdges(before, edges.toSpliced(older < 0 ? edges.length : older, 0, edge));
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
    loadingMore: networkStatus === NetworkStatus.fetchMore,
    error: data ? undefined : result.error,
    /** The end of the rows so far; undefined if there are no more. */
    after: nextPage(pageInfo),
    more,
    readAgain,
  };
}

/** The cursor of the next page; undefined without one. */
export const nextPage = (page: { hasNextPage: boolean; endCursor: string | null } | undefined): string | undefined =>
  (page?.hasNextPage && page.endCursor) || undefined;

const withEdges = <R extends Row>(data: RowsData<R>, edges: RowsData<R>["rows"]["edges"]): RowsData<R> => ({
  ...data,
  rows: { ...data.rows, edges },
});
