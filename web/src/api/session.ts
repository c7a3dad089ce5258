/**
 * The session, shared by all tabs of this browser, and its valid tokens.
 *
 * A refresh token is valid once, so tabs must not renew at the same time: a lock of the browser prevents that.
 * Without locks (a page over plain HTTP from another machine) each tab has a session of its own.
 */
import { currentTime } from "./clock";

interface Account {
  mail: string;
  uid: number;
  admin: boolean;
}

/** A session by password, whose tokens are renewed. */
interface TokenSession extends Account {
  accessToken: string;
  refreshToken: string;
  /** When the access token was issued and when it ends, in milliseconds of this browser's clock. */
  issued: number;
  ends: number;
}

/** A session by API key, valid as long as the key. */
interface KeySession extends Account {
  apiKey: string;
}

export type Session = TokenSession | KeySession;

/** The credential as HTTP headers, and as the payload of `connection_init` on a socket. */
export type Credential = { authorization: string } | { "x-api-key": string };

/** An error in an answer of the server, with its code from the table in docs/graph.md. */
export class ServerError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** No session exists. */
export class SignedOut extends Error {
  constructor() {
    super("Sign in first.");
  }
}

const KEY = "fullon.session";
const shared = "locks" in navigator;
const storage = shared ? localStorage : sessionStorage;

let current = read();
const listeners = new Set<() => void>();

function read(): Session | null {
  const stored = storage.getItem(KEY);
  return stored ? (JSON.parse(stored) as Session) : null;
}

function write(session: Session | null): void {
  if (session) storage.setItem(KEY, JSON.stringify(session));
  else storage.removeItem(KEY);
  current = session;
  for (const listener of listeners) listener();
}

addEventListener("storage", (event) => {
  if (shared && event.key === KEY) {
    current = read();
    for (const listener of listeners) listener();
  }
});

/** The current session; the same object until it changes, as React's useSyncExternalStore requires. */
export const currentSession = (): Session | null => current;

/** Call `listener` after a sign-in, a sign-out or a renewal, in this tab or another. */
export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const PAYLOAD = "accessToken refreshToken expiresAt user { uid mail isAdmin }";

interface Payload {
  accessToken: string;
  refreshToken: string;
  expiresAt: string;
  user: { uid: number; mail: string; isAdmin: boolean };
}

/**
 * Sign in with a password. UNAUTHENTICATED asks for a one-time code if the account requires one; pass it as `totp`.
 */
export async function signIn(mail: string, password: string, totp?: string): Promise<void> {
  const document = `mutation SignIn($mail: String!, $password: String!, $totp: String) {
    login(mail: $mail, password: $password, totp: $totp) { ${PAYLOAD} }
  }`;
  const { login } = await ask<{ login: Payload }>(document, { mail, password, totp });
  write(fromPayload(login));
}

/** Sign in with an API key. */
export async function signInWithKey(apiKey: string): Promise<void> {
  const document = "query { me { uid mail isAdmin } }";
  const { me } = await ask<{ me: Payload["user"] }>(document, {}, { "x-api-key": apiKey });
  write({ apiKey, mail: me.mail, uid: me.uid, admin: me.isAdmin });
}

/** End the session here and on the server. */
export async function signOut(): Promise<void> {
  const leaving = current;
  write(null);
  if (leaving && "accessToken" in leaving) {
    await ask("mutation { logout }", {}, { authorization: `Bearer ${leaving.accessToken}` }).catch(() => undefined);
  }
}

/** Forget a session that the server has ended. */
export function forget(): void {
  if (current) write(null);
}

/** For `credential`: the server has refused the current one. */
export const REFUSED = Infinity;

/**
 * The credential to send now, renewed first if it is near its end.
 *
 * With `endsBy` (milliseconds) it is valid beyond that time, for example after the server's warning of its expiry.
 *
 * @throws SignedOut there is no session, or it has ended
 * @throws TypeError the token must be renewed, and the server cannot be reached
 */
export async function credential(endsBy = 0): Promise<Credential> {
  if (!current) throw new SignedOut();
  if ("apiKey" in current) {
    if (endsBy < REFUSED) return { "x-api-key": current.apiKey };
    write(null);
    throw new SignedOut();
  }
  if (!isFresh(current, endsBy)) await underLock(() => renew(endsBy));
  if (!current || !("accessToken" in current)) throw new SignedOut();
  return { authorization: `Bearer ${current.accessToken}` };
}

/** True in the first three quarters of a token's life, or until a minute before its end if that is later. */
function isFresh(session: TokenSession, endsBy: number): boolean {
  const margin = Math.min(60_000, (session.ends - session.issued) / 4);
  return Date.now() < session.ends - margin && session.ends > endsBy + 1000;
}

async function renew(endsBy: number): Promise<void> {
  current = read(); // another tab may have renewed it while this one waited for the lock
  if (!current || !("accessToken" in current) || isFresh(current, endsBy)) return;
  const document = `mutation Renew($token: String!) { refreshToken(refreshToken: $token) { ${PAYLOAD} } }`;
  try {
    const { refreshToken } = await ask<{ refreshToken: Payload }>(document, { token: current.refreshToken });
    write(fromPayload(refreshToken));
  } catch (error) {
    if (!(error instanceof ServerError) || error.code !== "UNAUTHENTICATED") throw error;
    write(null);
    throw new SignedOut();
  }
}

let renewing: Promise<void> | null = null;

/** Run `work` in one tab at a time; concurrent calls in this tab share one run. */
function underLock(work: () => Promise<void>): Promise<void> {
  const locked = () => (shared ? navigator.locks.request(KEY, work) : work());
  renewing ??= Promise.resolve(locked()).finally(() => (renewing = null));
  return renewing;
}

function fromPayload({ accessToken, refreshToken, expiresAt, user }: Payload): TokenSession {
  const issued = Date.now();
  const ends = issued + (Date.parse(expiresAt) - currentTime()); // the browser's clock may be wrong
  return { accessToken, refreshToken, issued, ends, mail: user.mail, uid: user.uid, admin: user.isAdmin };
}

async function ask<Data>(query: string, variables: object, headers: Record<string, string> = {}): Promise<Data> {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(20_000),
  });
  const { data, errors } = await response.json();
  if (errors) throw new ServerError(errors[0].message, errors[0].extensions?.code, errors[0].extensions?.retryAfter);
  return data as Data;
}
