/** GraphiQL's requests to the server, and the extensions of the last answer. */
import type { Fetcher } from "@graphiql/toolkit";
import { getOperationAST, OperationTypeNode } from "graphql";
import type { Client } from "graphql-ws";
import { credential, currentSession, REFUSED } from "../api/session";
import type { Report } from "./report";

/** `extensions.cost` of an answer. */
export interface Cost {
  estimated: number;
  actual: number | null;
  limit: number | null;
  remaining?: number;
  resetSeconds?: number;
}

/** The content of the explain panel. */
export interface Details {
  explain?: Report;
  cost?: Cost;
}

let requested = localStorage.getItem("fullon.explain") === "true";
let details: Details | null = null;
const listeners = new Set<() => void>();

/** Those of the last answer; null before the first one. */
export const lastDetails = (): Details | null => details;
export const detailsRequested = (): boolean => requested;

export function requestDetails(on: boolean): void {
  requested = on;
  localStorage.setItem("fullon.explain", String(on));
  for (const listener of listeners) listener();
}

export function onDetails(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Queries and mutations over HTTP, subscriptions on the socket, with the credential of the session. */
export function createFetcher(socket: Client): Fetcher {
  return (params, options) => {
    const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
    if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return request(params, options?.headers);
    return {
      subscribe(observer: { next(value: unknown): void; error(error: unknown): void; complete(): void }) {
        if (!currentSession()) {
          observer.next({ errors: [{ message: "Sign in first: subscriptions need an account." }] });
          observer.complete();
          return { unsubscribe: () => undefined };
        }
        const end = socket.subscribe(
          { query: params.query, operationName: params.operationName, variables: params.variables },
          {
            next: (result) => observer.next(result),
            complete: () => observer.complete(),
            error: (error) => {
              observer.next({ errors: Array.isArray(error) ? error : [{ message: String(error) }] });
              observer.complete();
            },
          },
        );
        return { unsubscribe: end };
      },
    } as never;
  };
}

async function request(params: object, own: Record<string, string> = {}): Promise<never> {
  let result = await post(params, own, 0);
  const refused = result.errors?.some((error: { extensions?: { code: string } }) => error.extensions?.code === "UNAUTHENTICATED");
  if (refused && currentSession()) result = await post(params, own, REFUSED);
  if (!("operationName" in params) || params.operationName !== "IntrospectionQuery") remember(result);
  return result as never;
}

async function post(params: object, own: Record<string, string>, endsBy: number) {
  const signedIn = currentSession() ? await credential(endsBy).catch(() => ({})) : {};
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", ...signedIn, ...own },
    body: JSON.stringify(requested ? { ...params, extensions: { explain: true, cost: true } } : params),
  });
  return response.json();
}

/** Store the details for the panel, and remove them from the answer in the editor. */
function remember(result: { extensions?: Details & Record<string, unknown> }): void {
  const { explain, cost, ...others } = result.extensions ?? {};
  details = { explain, cost };
  if (Object.keys(others).length) result.extensions = others;
  else delete result.extensions;
  for (const listener of listeners) listener();
}
