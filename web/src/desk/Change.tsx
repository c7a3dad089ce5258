/**
 * A change with a preview: the mutation runs first as a dry run, which validates and changes nothing, and then with an
 * idempotency key, so that it is executed once even if the button or the network repeats it.
 */
import type { DocumentNode, OperationVariables, TypedDocumentNode } from "@apollo/client";
import { useMutation } from "@apollo/client/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { sentence } from "../api/errors";
import { newKey } from "../api/key";

/** A value of a row that a change shows, with its label. */
export type Shown = Record<string, string | number | boolean | null | undefined>;

interface Props<Data, Input> {
  title: string;
  confirm: string;
  mutation: TypedDocumentNode<Data, any>;
  /** The variables without `dryRun` and `idempotencyKey`. */
  input: Input;
  /** The values before the change. A value that is only in `after` is an effect, and shown without a former one. */
  before: Shown;
  after(data: Data): Shown;
  onClose(): void;
  /** True if the change stops something. */
  danger?: boolean;
  /** Lists that the change adds a row to, or removes one from. They are read again. */
  lists?: DocumentNode[];
  /** The text to read after the change, for example a secret; without it, the dialog closes. */
  done?(data: Data): ReactNode;
  children?: ReactNode;
}

/** Milliseconds without a keystroke after which the preview is requested. */
const SETTLED = 350;

export function Change<Data, Input extends OperationVariables>({ title, confirm, mutation, input, before, after, onClose, danger, lists, done, children }: Props<Data, Input>) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [preview, { error: refusal }] = useMutation(mutation as TypedDocumentNode<Data, OperationVariables>, { fetchPolicy: "no-cache" });
  const [make, { loading, error }] = useMutation(mutation as TypedDocumentNode<Data, OperationVariables>, {
    refetchQueries: lists,
    awaitRefetchQueries: true,
  });
  const [checked, setChecked] = useState<Data | null>(null);
  const [result, setResult] = useState<Data | null>(null);
  const asked = JSON.stringify(input);
  const key = useRef({ asked, value: newKey() });
  if (key.current.asked !== asked) key.current = { asked, value: newKey() }; // another change has another key

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    let outdated = false;
    const timer = setTimeout(async () => {
      const { data } = await preview({ variables: { ...JSON.parse(asked), dryRun: true } }).catch(() => ({ data: undefined }));
      if (!outdated) setChecked((data as Data | undefined) ?? null);
    }, SETTLED);
    return () => {
      outdated = true;
      clearTimeout(timer);
    };
  }, [asked, preview]);

  async function submit() {
    const { data } = await make({ variables: { ...input, idempotencyKey: key.current.value } }).catch(() => ({ data: undefined }));
    if (data && done) setResult(data as Data);
    else if (data) onClose();
  }

  const problem = error ?? refusal;
  const shown = checked && after(checked);
  const differences = shown ? Object.entries(shown).filter(([name, value]) => value !== before[name]) : [];
  if (done && result) {
    return (
      <dialog ref={dialog} className="change" aria-label={title} onClose={onClose}>
        <form method="dialog">
          <h2>{title}</h2>
          <div role="status">{done(result)}</div>
          <div className="actions">
            <button type="submit" className="primary">
              Close
            </button>
          </div>
        </form>
      </dialog>
    );
  }
  return (
    <dialog ref={dialog} className="change" aria-label={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h2>{title}</h2>
        {children}
        <div className="preview" aria-live="polite">
          <h3>Preview, checked by the server</h3>
          {problem ? (
            <p className="problem">{sentence(problem)}</p>
          ) : !shown ? (
            <p className="muted">Checking …</p>
          ) : differences.length ? (
            <ul>
              {differences.map(([name, value]) => (
                <li key={name}>
                  {name}:{" "}
                  {name in before && (
                    <>
                      <del>{text(before[name])}</del> →{" "}
                    </>
                  )}
                  <ins>{text(value)}</ins>
                </li>
              ))}
            </ul>
          ) : (
            <p className="muted">Nothing changes.</p>
          )}
        </div>
        <div className="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={danger ? "danger" : "primary"} disabled={loading || !shown || Boolean(refusal) || !differences.length}>
            {loading ? "Working …" : confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}

const text = (value: Shown[string]): string =>
  value === null || value === undefined ? "–" : value === true ? "yes" : value === false ? "no" : String(value);
