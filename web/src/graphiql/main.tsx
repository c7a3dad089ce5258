import "@graphiql/react/setup-workers/vite";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "../ui/base.css";
import "./graphiql.css";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import type { GraphiQLPlugin } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { type RefObject, StrictMode, useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { signOut } from "../api/session";
import { createSocket } from "../api/socket";
import { useConnection, useSession, useTheme } from "../ui/hooks";
import { Icon } from "../ui/Icon";
import { SignIn } from "../ui/SignIn";
import { ThemeButton } from "../ui/ThemeButton";
import { ExamplesPanel } from "./ExamplesPanel";
import { ExplainPanel } from "./ExplainPanel";
import { createFetcher } from "./exchange";
import { defaultTabs } from "./tabs";

const ExamplesIcon = () => <Icon name="list" />;
const ExplainIcon = () => <Icon name="stopwatch" />;
const EXAMPLES: GraphiQLPlugin = { title: "Examples", icon: ExamplesIcon, content: ExamplesPanel };
const EXPLAIN: GraphiQLPlugin = { title: "Explain", icon: ExplainIcon, content: ExplainPanel };
const PLUGINS = [EXAMPLES, HISTORY_PLUGIN, explorerPlugin(), EXPLAIN];

function Page() {
  const session = useSession();
  const theme = useTheme();
  const address = useRef(new URLSearchParams(location.search));
  const uid = session?.uid;
  // Another account needs another socket, because a socket authenticates with its first message.
  const socket = useMemo(() => createSocket(), [uid]);
  useEffect(() => () => void socket.dispose(), [socket]);
  const fetcher = useMemo(() => createFetcher(socket), [socket]);
  return (
    <div className="page">
      <Bar />
      <GraphiQL
        fetcher={fetcher}
        plugins={PLUGINS}
        forcedTheme={theme}
        showPersistHeadersSettings={false}
        defaultTabs={defaultTabs}
        initialQuery={address.current.get("query") ?? undefined}
        initialVariables={address.current.get("variables") ?? undefined}
        onEditQuery={(query) => remember(address, "query", query)}
        onEditVariables={(variables) => remember(address, "variables", variables)}
      >
        <GraphiQL.Logo>
          <span />
        </GraphiQL.Logo>
      </GraphiQL>
    </div>
  );
}

/** Keep the address a link to the content of the editor. */
function remember(address: RefObject<URLSearchParams>, name: string, text: string): void {
  if (text) address.current.set(name, text);
  else address.current.delete(name);
  history.replaceState(null, "", address.current.size ? `?${address.current}` : location.pathname);
}

function Bar() {
  const session = useSession();
  const connection = useConnection();
  const [open, setOpen] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const signedIn = session !== null;
  useEffect(() => {
    if (signedIn) setOpen(false);
  }, [signedIn]);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <header className="bar">
      <a className="brand" href="/desk">
        fullon <span>graph</span>
      </a>
      {connection === "broken" && <span className="bar-state" role="status">Connection lost, connecting again …</span>}
      <nav aria-label="Account">
        <a href="/desk">
          <Icon name="market" /> Desk
        </a>
        <ThemeButton />
        {session ? (
          <>
            <span className="who" title={session.admin ? "administrator" : undefined}>
              {session.mail}
              {"apiKey" in session ? " (API key)" : ""}
            </span>
            <button type="button" onClick={() => void signOut()}>
              Sign out
            </button>
          </>
        ) : (
          <button type="button" className="primary" onClick={() => setOpen(true)}>
            Sign in
          </button>
        )}
      </nav>
      <dialog ref={dialog} onClose={() => setOpen(false)} aria-label="Sign in">
        {open && <SignIn />}
      </dialog>
    </header>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
