import { useSyncExternalStore } from "react";
import { type Cost, detailsRequested, lastDetails, onDetails, requestDetails } from "./exchange";
import { branches, layOut, type Report, type Step } from "./report";

/** Cost and execution of the last operation. The execution is for administrators, and for all users of the demo. */
export function ExplainPanel() {
  const requested = useSyncExternalStore(onDetails, detailsRequested);
  const details = useSyncExternalStore(onDetails, lastDetails);
  return (
    <section className="explain" aria-label="Explain">
      <h2 className="graphiql-doc-explorer-title">Explain</h2>
      <label className="explain-switch">
        <input type="checkbox" checked={requested} onChange={(event) => requestDetails(event.target.checked)} />
        Explain every operation I run
      </label>
      {details?.cost && <CostFacts cost={details.cost} />}
      {details?.explain ? (
        <Explained report={details.explain} />
      ) : (
        <p className="explain-hint">{hint(requested, details !== null)}</p>
      )}
    </section>
  );
}

function hint(requested: boolean, answered: boolean): string {
  if (!requested) return "Switch it on and run a query: its cost, its SQL, the calls to other stores and the milliseconds appear here.";
  return answered
    ? "The answer has no explanation. It is for administrators, and in the demo for all users who are signed in."
    : "Run a query.";
}

function CostFacts({ cost }: { cost: Cost }) {
  const number = (value: number | null | undefined) => value?.toLocaleString("en") ?? "not measured";
  return (
    <dl className="explain-facts" aria-label="Cost">
      <Fact name="Estimated cost" value={number(cost.estimated)} />
      <Fact name="Actual cost" value={number(cost.actual)} />
      {cost.limit !== null && <Fact name="Limit" value={number(cost.limit)} />}
      {cost.remaining !== undefined && <Fact name={`Left for ${cost.resetSeconds} s`} value={number(cost.remaining)} />}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Explained({ report }: { report: Report }) {
  const remembered = (["document", "plan"] as const).filter((one) => report.remembered[one]);
  const longest = Math.max(...report.steps.map((step) => step.milliseconds), 0.001);
  return (
    <>
      <dl className="explain-facts">
        <Fact name="Total" value={`${report.milliseconds.toFixed(1)} ms`} />
        <Fact name="Execution" value={report.execution} />
        <Fact name="Remembered" value={remembered.join(" and ") || "nothing"} />
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
