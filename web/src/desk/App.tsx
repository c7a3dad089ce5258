import { ApolloProvider } from "@apollo/client/react";
import { lazy, Suspense, useEffect, useMemo } from "react";
import { Link, Redirect, Route, Router, Switch, useLocation } from "wouter";
import { createClient } from "../api/client";
import { type Session, signOut } from "../api/session";
import { createSocket } from "../api/socket";
import { useSession } from "../ui/hooks";
import { Icon, type IconName } from "../ui/Icon";
import { SignIn } from "../ui/SignIn";
import { ThemeButton } from "../ui/ThemeButton";
import { ConnectionBanner } from "./ConnectionBanner";
import { MarketView } from "./market/MarketView";
import { Notices } from "./Notices";
import { Loading } from "./parts";

const BotsView = lazy(() => import("./bots/BotsView"));
const BotView = lazy(() => import("./bots/BotView"));
const AlertsView = lazy(() => import("./alerts/AlertsView"));
const PortfolioView = lazy(() => import("./portfolio/PortfolioView"));
const OperationsView = lazy(() => import("./operations/OperationsView"));

export function App() {
  const session = useSession();
  if (!session) {
    return (
      <main className="welcome">
        <p className="brand">
          fullon <span>desk</span>
        </p>
        <SignIn />
        <p className="welcome-links">
          <a href="/graphql">GraphiQL</a>
          <ThemeButton />
        </p>
      </main>
    );
  }
  return <Desk key={session.uid} session={session} />;
}

/** The desk of one account. Its client, cache and socket end with it; the next account gets new ones. */
function Desk({ session }: { session: Session }) {
  const { client, socket } = useMemo(() => {
    const socket = createSocket();
    return { socket, client: createClient(socket) };
  }, []);
  useEffect(
    () => () => {
      client.stop();
      void socket.dispose();
    },
    [client, socket],
  );
  return (
    <ApolloProvider client={client}>
      <Router base="/desk">
        <a className="skip" href="#content">
          Skip to the content
        </a>
        <div className="desk">
          <Navigation session={session} />
          <main id="content" tabIndex={-1}>
            <ConnectionBanner />
            <Notices />
            <Suspense fallback={<Loading />}>
              <Switch>
                <Route path="/market/:exchange?/:symbol?">
                  {({ exchange, symbol }) => <MarketView exchange={exchange} symbol={symbol && decodeURIComponent(symbol)} />}
                </Route>
                <Route path="/bots">
                  <BotsView />
                </Route>
                <Route path="/bots/:id">{({ id }) => <BotView key={id} botId={Number(id)} />}</Route>
                <Route path="/portfolio">
                  <PortfolioView uid={session.uid} />
                </Route>
                <Route path="/alerts">
                  <AlertsView />
                </Route>
                {session.admin && (
                  <Route path="/operations">
                    <OperationsView />
                  </Route>
                )}
                <Route>
                  <Redirect to="/market" replace />
                </Route>
              </Switch>
            </Suspense>
          </main>
        </div>
      </Router>
    </ApolloProvider>
  );
}

const VIEWS: { path: string; title: string; icon: IconName; forAdministrators?: boolean }[] = [
  { path: "/market", title: "Market", icon: "market" },
  { path: "/bots", title: "Bots", icon: "bots" },
  { path: "/portfolio", title: "Portfolio", icon: "portfolio" },
  { path: "/alerts", title: "Alerts", icon: "alerts" },
  { path: "/operations", title: "Operations", icon: "operations", forAdministrators: true },
];

function Navigation({ session }: { session: Session }) {
  const [location] = useLocation();
  const shown = VIEWS.filter((view) => session.admin || !view.forAdministrators);
  useEffect(() => {
    document.title = `${shown.find(({ path }) => location.startsWith(path))?.title ?? "Market"} · fullon desk`;
  }, [location, shown]);
  return (
    <header className="rail">
      <Link className="brand" href="/market">
        <span aria-hidden="true" className="brand-mark">
          f<span>u</span>
        </span>
        <span className="unseen">fullon desk</span>
      </Link>
      <nav aria-label="Views">
        {shown.map(({ path, title, icon }) => (
          <Link key={path} href={path} aria-current={location.startsWith(path) ? "page" : undefined}>
            <Icon name={icon} />
            <span>{title}</span>
          </Link>
        ))}
      </nav>
      <div className="rail-end">
        <a className="icon-button" href="/graphql" aria-label="GraphiQL" title="GraphiQL">
          <Icon name="graph" />
        </a>
        <ThemeButton />
        <button
          type="button"
          className="icon-button"
          onClick={() => void signOut()}
          aria-label={`Sign out ${session.mail}`}
          title={`Sign out ${session.mail}`}
        >
          <Icon name="signOut" />
        </button>
      </div>
    </header>
  );
}
