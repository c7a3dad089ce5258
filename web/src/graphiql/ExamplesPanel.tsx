import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useState } from "react";
import topics from "virtual:examples";

/** The operations of the documentation, by topic; a click opens one in a tab of its own. */
export function ExamplesPanel() {
  const { addTab } = useGraphiQLActions();
  const editor = useGraphiQL((state) => state.queryEditor);
  const tab = useGraphiQL((state) => state.activeTabIndex);
  const [chosen, choose] = useState<{ operation: string; tab: number } | null>(null);

  // The editor must show the new tab first; values set earlier would be lost.
  useEffect(() => {
    if (!chosen || !editor || tab === chosen.tab) return;
    editor.setValue(chosen.operation);
    choose(null);
  }, [chosen, editor, tab]);

  return (
    <section className="examples" aria-label="Examples">
      <h2 className="graphiql-doc-explorer-title">Examples</h2>
      <p className="explain-hint">The operations of the documentation. In the demo all of them work.</p>
      {topics.map((topic) => (
        <details key={topic.page} open={topic.page === "graph.md"}>
          <summary>{topic.title}</summary>
          <ul>
            {topic.operations.map(({ operation, section, account }, number) => (
              <li key={number}>
                <button
                  type="button"
                  onClick={() => {
                    choose({ operation, tab });
                    addTab();
                  }}
                >
                  <span>{section || "Overview"}</span>
                  <code>{gist(operation)}</code>
                  {account === "admin" && <em>administrators</em>}
                </button>
              </li>
            ))}
          </ul>
        </details>
      ))}
    </section>
  );
}

/** The first words of an operation that fit into one line. */
const gist = (operation: string): string => operation.replace(/\s+/g, " ").slice(0, 60);
