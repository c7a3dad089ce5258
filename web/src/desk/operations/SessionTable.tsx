import { useMutation, useQuery } from "@apollo/client/react";
import { sentence } from "../../api/errors";
import { newKey } from "../../api/key";
import { moment } from "../format";
import { Badge, Empty, Loading, MoreBelow, Panel, Problem } from "../parts";
import { EndSession, Sessions } from "./documents";

/** The active sessions. The sockets of an ended session are closed within a second. */
export function SessionTable() {
  const { data, error, refetch, fetchMore } = useQuery(Sessions, {
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
    pollInterval: 15_000,
  });
  const [end, { error: refusal, loading }] = useMutation(EndSession);
  // An ended session is inactive in the cache, so it disappears before the list is read again.
  const sessions = (data?.sessions.edges ?? []).map(({ node }) => node).filter(({ active }) => active);
  return (
    <Panel title="Sessions" extra={refusal && <span className="down">{sentence(refusal)}</span>}>
      {error && !data ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : !sessions.length ? (
        <Empty>Nobody is signed in.</Empty>
      ) : (
        <div className="scroll limited" tabIndex={0} role="region" aria-label="Sessions">
          <table>
            <thead>
              <tr>
                <th scope="col">Account</th>
                <th scope="col">Renewed</th>
                <th scope="col">From</th>
                <th scope="col">
                  <span className="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {sessions.map((session) => (
                <tr key={session.id} title={session.userAgent ?? undefined}>
                  <th scope="row">{session.user.mail}</th>
                  <td>{moment(session.refreshedAt)}</td>
                  <td className="muted">{session.address ?? "–"}</td>
                  <td>
                    <span className="cell-actions">
                      {session.current ? (
                        <Badge kind="accent">this one</Badge>
                      ) : (
                        <button
                          type="button"
                          className="danger"
                          disabled={loading}
                          onClick={() => void end({ variables: { id: session.id, idempotencyKey: newKey() } }).catch(() => undefined)}
                          aria-label={`End the session of ${session.user.mail}`}
                        >
                          End
                        </button>
                      )}
                    </span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <MoreBelow
            more={data.sessions.pageInfo.hasNextPage}
            reached={() => void fetchMore({ variables: { after: data.sessions.pageInfo.endCursor } }).catch(() => undefined)}
          />
        </div>
      )}
    </Panel>
  );
}
