/** GraphiQL's requests to the server, and the extensions of the last answer. */
import type { Fetcher } from "@graphiql/toolkit";
import { getOperationAST, OperationTypeNode } from "graphql";
import type { Client } from "graphql-ws";
import { credential, currentSession, REFUSED } from "../api/session";
import type { Report } from "./report";

/** The content of the explain panel. */
export interface Told {
  explain?: Report;
  cost?: unknown;
}

let wanted = localStorage.getItem("fullon.explain") === "true";
let told: Told | null = null;
const listeners = new Set<() => void>();

export const currentTold = (): Told | null => told;
export const explainWanted = (): boolean => wanted;

export function wantExplain(on: boolean): void {
  wanted = on;
  localStorage.setItem("fullon.explain", String(on));
  for (const listener of listeners) listener();
}

export function onTold(listener: () => void): () => void {
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
    body: JSON.stringify(wanted ? { ...params, extensions: { explain: true } } : params),
  });
  return response.json();
}

/** Store the explanation for the panel, and remove it from the answer in the editor. */
function remember(result: { extensions?: Told & Record<string, unknown> }): void {
  told = { explain: result.extensions?.explain, cost: result.extensions?.cost };
  if (result.extensions?.explain) {
    delete result.extensions.explain;
    if (!Object.keys(result.extensions).length) delete result.extensions;
  }
  for (const listener of listeners) listener();
}
