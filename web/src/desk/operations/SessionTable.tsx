import { useMutation, useQuery } from "@apollo/client/react";
import { sentence } from "../../api/errors";
import { newKey } from "../../api/key";
import { moment } from "../format";
import { Badge, Empty, Loading, MoreBelow, Panel, Problem, Table } from "../parts";
import { nextPage } from "../rows";
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
        <Table
          label="Sessions"
          limited
          actions
          columns={["Account", "Renewed", "From"]}
          below={
            <MoreBelow
              after={nextPage(data.sessions.pageInfo)}
              reached={() => void fetchMore({ variables: { after: data.sessions.pageInfo.endCursor } }).catch(() => undefined)}
            />
          }
        >
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
        </Table>
      )}
    </Panel>
  );
}
