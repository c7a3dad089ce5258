/**
 * Subscriptions that resume after a broken connection.
 *
 * graphql-ws subscribes again with the same variables object. This link passes a copy and updates it, so that a
 * stream of events resumes after its newest cursor, and a stream of candles from its last bar.
 */
import { ApolloLink, CombinedGraphQLErrors, Observable } from "@apollo/client";
import { OperationTypeNode } from "graphql";

/** The variables that resume the stream after an event. */
export type Resume = (data: Record<string, any>) => Record<string, unknown> | undefined;

declare module "@apollo/client" {
  interface DefaultContext {
    /** Resumes a subscription without cursors. */
    resume?: Resume;
    /** Called when events may have been missed, so that lists have to be read again. */
    onGap?: () => void;
  }
}

/** Orders, trades and logs: the cursor of the newest event becomes `after`. */
const byCursor: Resume = (data) => {
  const [event] = Object.values(data);
  return event?.cursor ? { after: event.cursor } : undefined;
};

export const resumeLink = new ApolloLink((operation, forward) => {
  if (operation.operationType !== OperationTypeNode.SUBSCRIPTION) return forward(operation);
  const { resume = byCursor, onGap } = operation.getContext();
  const variables = (operation.variables = { ...operation.variables });
  return new Observable<ApolloLink.Result>((observer) => {
    let subscription: { unsubscribe(): void };
    const start = () => {
      subscription = forward(operation).subscribe({
        next: (result) => {
          if (result.data) Object.assign(variables, resume(result.data));
          observer.next(result);
        },
        error: (error: unknown) => {
          const { code, cursor } = extensionsOf(error);
          if (code === "LAGGED") {
            variables.after = cursor;
            start();
          } else if (code === "CURSOR_EXPIRED") {
            delete variables.after;
            start();
            onGap?.();
          } else {
            observer.error(error);
          }
        },
        complete: () => observer.complete(),
      });
    };
    start();
    return () => subscription.unsubscribe();
  });
});

function extensionsOf(error: unknown): { code?: string; cursor?: string } {
  return (CombinedGraphQLErrors.is(error) && error.errors[0]?.extensions) || {};
}
