/** Handling of errors by their code; docs/graph.md has the table of codes. */
import { CombinedGraphQLErrors } from "@apollo/client";
import { ServerError, SignedOut } from "./session";

/** The code of an error in an answer of the server, else null. */
export function codeOf(error: unknown): string | null {
  if (CombinedGraphQLErrors.is(error)) return (error.errors[0]?.extensions?.code as string) ?? null;
  if (error instanceof ServerError) return error.code;
  return error instanceof SignedOut ? "UNAUTHENTICATED" : null;
}

/** True if no answer came: fetch throws a TypeError without a connection, and a TimeoutError after our own limit. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError");

/** A sentence for users: the server's message, except for a few codes. */
export function sentence(error: unknown): string {
  if (isUnreachable(error)) return "The server does not answer. Check the connection and try again.";
  const message = CombinedGraphQLErrors.is(error) ? error.errors[0]!.message : String((error as Error)?.message ?? error);
  switch (codeOf(error)) {
    case "NOT_FOUND":
      return "This does not exist, or belongs to somebody else.";
    case "FORBIDDEN":
      return "Your account may not do this.";
    default:
      return message;
  }
}
