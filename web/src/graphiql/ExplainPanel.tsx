import { useSyncExternalStore } from "react";
import { currentTold, explainWanted, onTold, wantExplain } from "./exchange";
import { branches, layOut, type Report, type Step } from "./report";

/** The execution of the last operation: for administrators, and for all users of the demo. */
export function ExplainPanel() {
  const wanted = useSyncExternalStore(onTold, explainWanted);
  const told = useSyncExternalStore(onTold, currentTold);
  return (
    <section className="explain" aria-label="Explain">
      <h2 className="graphiql-doc-explorer-title">Explain</h2>
      <label className="explain-switch">
        <input type="checkbox" checked={wanted} onChange={(event) => wantExplain(event.target.checked)} />
        Explain every operation I run
      </label>
      {told?.cost !== undefined && <Cost cost={told.cost} />}
      {told?.explain ? <Explained report={told.explain} /> : <p className="explain-hint">{hint(wanted, told !== null)}</p>}
    </section>
  );
}

function hint(wanted: boolean, answered: boolean): string {
  if (!wanted) return "Switch it on and run a query: its SQL, the calls to other stores and the milliseconds appear here.";
  return answered
    ? "The answer has no explanation: this is for administrators, and in the demo for everybody who is signed in."
    : "Run a query.";
}

function Cost({ cost }: { cost: unknown }) {
  const entries = cost && typeof cost === "object" ? Object.entries(cost) : [["cost", cost]];
  return (
    <dl className="explain-facts" aria-label="Cost">
      {entries.map(([name, value]) => (
        <div key={String(name)}>
          <dt>{String(name)}</dt>
          <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Explained({ report }: { report: Report }) {
  const longest = Math.max(...report.steps.map((step) => step.milliseconds), 0.001);
  return (
    <>
      <dl className="explain-facts">
        <div>
          <dt>Total</dt>
          <dd>{report.milliseconds.toFixed(1)} ms</dd>
        </div>
        <div>
          <dt>Execution</dt>
          <dd>{report.execution}</dd>
        </div>
        <div>
          <dt>Remembered</dt>
          <dd>
            {["document", "plan"].filter((one) => report.remembered[one as "document" | "plan"]).join(" and ") || "nothing"}
          </dd>
        </div>
      </dl>
      {report.reason && <p className="explain-hint">{report.reason}</p>}
      <ol className="explain-tree">
        {branches(report).map((branch, place) => (
          <li key={place}>
            <h3>{branch.title}</h3>
            <ol>
              {branch.steps.map((step, number) => (
                <StepRow key={number} step={step} longest={longest} />
              ))}
            </ol>
          </li>
        ))}
      </ol>
    </>
  );
}

const SHOWN = new Set(["kind", "name", "milliseconds", "sql", "statements", "redis"]);

function StepRow({ step, longest }: { step: Step; longest: number }) {
  const facts = Object.entries(step).filter(([name, value]) => !SHOWN.has(name) && value !== null);
  const statements = step.sql ? [step.sql] : (step.statements ?? []);
  return (
    <li className={`step step-${step.kind}`}>
      <div className="step-line">
        <span className="step-kind">{step.kind}</span>
        <span className="step-name">{step.name}</span>
        <span className="step-time">{step.milliseconds.toFixed(2)} ms</span>
        <meter className="step-bar" min={0} max={longest} value={step.milliseconds} aria-label="share of the longest step" />
      </div>
      {facts.length > 0 && <p className="step-facts">{facts.map(([name, value]) => `${name} ${String(value)}`).join(" · ")}</p>}
      {step.redis?.map((command, number) => (
        <code key={number} className="step-command">
          {command}
        </code>
      ))}
      {statements.map((sql, number) => (
        <details key={number}>
          <summary>SQL{statements.length > 1 ? ` ${number + 1}` : ""}</summary>
          <pre tabIndex={0}>{layOut(sql)}</pre>
        </details>
      ))}
    </li>
  );
}
