/** `extensions.explain`, and its steps as a tree for the panel. */

export interface Step {
  kind: string;
  name: string;
  milliseconds: number;
  sql?: string;
  statements?: string[];
  redis?: string[];
  [fact: string]: unknown;
}

export interface Report {
  execution: "plan" | "reference";
  reason: string | null;
  milliseconds: number;
  remembered: { document: boolean; plan: boolean };
  steps: Step[];
}

export interface Branch {
  title: string;
  steps: Step[];
}

const PREPARING = new Set(["identify", "parse", "validate", "plan", "compile"]);

/** One branch for the steps before reading, and one for each root field with its batches. */
export function branches({ steps }: Report): Branch[] {
  const found: Branch[] = [];
  const branch = (title: string) => {
    const last = found.at(-1);
    if (last?.title === title) return last;
    found.push({ title, steps: [] });
    return found.at(-1)!;
  };
  let root = "";
  for (const step of steps) {
    if (PREPARING.has(step.kind) && !root) branch("Preparation").steps.push(step);
    else {
      if (!root || step.kind === "resolve" || (step.kind === "statement" && branchEnded(found))) root = step.name;
      branch(root).steps.push(step);
    }
  }
  return found;
}

const branchEnded = (found: Branch[]): boolean => found.at(-1)?.steps.at(-1)?.kind === "write";

/** The clauses of a statement, each in a line of its own. */
export function layOut(sql: string): string {
  return sql
    .replace(/\s+/g, " ")
    .replace(/ (FROM|WHERE|GROUP BY|ORDER BY|LIMIT|LEFT OUTER JOIN|JOIN|UNION|HAVING|WITH) /g, "\n$1 ")
    .trim();
}
