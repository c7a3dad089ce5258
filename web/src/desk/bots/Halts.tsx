import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { HaltFieldsFragment, HaltTargetsQuery, HaltTradingMutation, HaltTradingMutationVariables } from "../../gql/graphql";
import { Change, type Shown } from "../Change";
import { moment } from "../format";
import { Badge, Panel, Problem, Table } from "../parts";
import { type Rights, useRights } from "../rights";
import { HaltTargets, HaltTrading, ResumeTrading } from "./documents";
import type { TradingState } from "./useTradingState";

/** Whether trading is halted, by which halts, and the buttons to halt and to resume it. */
export function Halts({ state }: { state: TradingState }) {
  const rights = useRights();
  const [halting, setHalting] = useState(false);
  const [resuming, setResuming] = useState<HaltFieldsFragment | null>(null);
  const { data } = useQuery(HaltTargets, { skip: !halting && !state.halts.length });
  const names = namesOf(data);
  const mayHalt = rights?.mayWrite("bots") ?? false;
  return (
    <Panel
      className="halts"
      title={
        <>
          Trading <Condition state={state} />
        </>
      }
      extra={
        mayHalt && (
          <button type="button" className="danger" onClick={() => setHalting(true)}>
            Halt trading
          </button>
        )
      }
    >
      {state.error ? (
        <Problem error={state.error} />
      ) : state.halts.length > 0 ? (
        <Table label="Halts" actions columns={["Halted", "Reason", "Since, UTC", ["By", "optional"], ["Switched off", "optional"]]}>
          {state.halts.map((halt) => (
            <tr key={halt.haltId} data-halt={halt.haltId}>
              <th scope="row">{names.target(halt, rights)}</th>
              <td className="reason">{halt.reason}</td>
              <td>{moment(halt.since)}</td>
              <td className="muted optional">{halt.switchId ? "lost client" : halt.by === rights?.uid ? "you" : `user ${halt.by}`}</td>
              <td className="muted reason optional">{names.bots(halt.botIds)}</td>
              <td>
                <span className="cell-actions">
                  {rights && mayHalt && mayResume(halt, rights) ? (
                    <button
                      type="button"
                      onClick={() => setResuming(halt)}
                      aria-label={`Resume trading of ${names.target(halt, rights)}`}
                    >
                      Resume
                    </button>
                  ) : (
                    <span className="muted">{mayHalt && rights && "an administrator resumes it"}</span>
                  )}
                </span>
              </td>
            </tr>
          ))}
        </Table>
      ) : null}
      {halting && rights && <Halt targets={data} admin={rights.admin} onClose={() => setHalting(false)} />}
      {resuming && (
        <Change
          title={`Resume trading of ${names.target(resuming, rights)}`}
          confirm="Resume"
          mutation={ResumeTrading}
          input={{ haltId: resuming.haltId }}
          before={{}}
          after={({ resumeTrading }) => ({ "bots switched on": names.bots(resumeTrading.resumedBotIds) })}
          onClose={() => setResuming(null)}
        >
          <p className="muted">Bots that another halt covers stay off. Canceled orders stay canceled.</p>
        </Change>
      )}
    </Panel>
  );
}

function Condition({ state: { known, halted, halts } }: { state: TradingState }) {
  return (
    <span role="status">
      {known && (
        <Badge kind={halted ? "bad" : halts.length ? "warn" : "good"}>{halted ? "halted" : halts.length ? "partly halted" : "not halted"}</Badge>
      )}
    </span>
  );
}

/** Halts by an administrator are ended by administrators only. */
const mayResume = ({ uid, by }: HaltFieldsFragment, rights: Rights): boolean => rights.admin || (uid === rights.uid && by === rights.uid);

/** Names of bots and accounts; a number until they are known. */
function namesOf(targets: HaltTargetsQuery | undefined) {
  const bot = (botId: number) => targets?.bots.nodes.find((one) => one.botId === botId)?.name ?? `bot ${botId}`;
  const account = (exId: number) => targets?.exchanges.nodes.find((one) => one.exId === exId)?.name ?? `account ${exId}`;
  return {
    bots: (ids: number[]): string => ids.map(bot).join(", ") || "none",
    target({ scope, uid, exId, botId }: HaltFieldsFragment, rights: Rights | null): string {
      if (scope === "BOT") return bot(botId!);
      if (scope === "EXCHANGE") return account(exId!);
      return uid === null ? "all users" : uid === rights?.uid ? "all your bots" : `all bots of user ${uid}`;
    },
  };
}

type Target = Pick<HaltTradingMutationVariables, "scope" | "exId" | "botId" | "everyone">;

/** The dialog that halts trading. Its preview lists what would stop. */
function Halt({ targets, admin, onClose }: { targets: HaltTargetsQuery | undefined; admin: boolean; onClose(): void }) {
  const [target, setTarget] = useState<Target>({ scope: "ALL" });
  const [reason, setReason] = useState("");
  const [cancelOpen, setCancelOpen] = useState(false);
  const owner = (mail: string) => (admin ? `, ${mail}` : "");
  const choice = (target: Target) => JSON.stringify(target);

  function effect({ haltTrading }: HaltTradingMutation): Shown {
    const { botIds, canceledOrderIds, blocked } = haltTrading;
    return {
      "bots switched off": namesOf(targets).bots(botIds),
      ...(cancelOpen && { "open orders canceled": canceledOrderIds.length }),
      "instruments blocked": [...new Set(blocked.map(({ symbol }) => symbol))].join(", ") || "none",
    };
  }

  return (
    <Change
      title="Halt trading"
      confirm="Halt"
      danger
      mutation={HaltTrading}
      input={{ ...target, reason: reason.trim() || "–", cancelOpen }}
      before={{}}
      after={effect}
      onClose={onClose}
    >
      <label>
        What
        <select value={choice(target)} onChange={(event) => setTarget(JSON.parse(event.target.value) as Target)}>
          <option value={choice({ scope: "ALL" })}>all your bots and accounts</option>
          {admin && <option value={choice({ scope: "ALL", everyone: true })}>all users</option>}
          <optgroup label="Accounts">
            {targets?.exchanges.nodes.map(({ id, exId, name, exchangeName, user }) => (
              <option key={id} value={choice({ scope: "EXCHANGE", exId })}>{`${name}, ${exchangeName}${owner(user.mail)}`}</option>
            ))}
          </optgroup>
          <optgroup label="Bots">
            {targets?.bots.nodes.map(({ id, botId, name, user }) => (
              <option key={id} value={choice({ scope: "BOT", botId })}>{`${name}${owner(user.mail)}`}</option>
            ))}
          </optgroup>
        </select>
      </label>
      <label>
        Reason
        <input value={reason} onChange={(event) => setReason(event.target.value)} required pattern=".*\S.*" maxLength={200} />
      </label>
      <label className="check">
        <input type="checkbox" checked={cancelOpen} onChange={(event) => setCancelOpen(event.target.checked)} />
        Cancel open orders too
      </label>
      <p className="muted">Bots stay off, and no order is created, until trading is resumed.</p>
    </Change>
  );
}
