import { type FormEvent, useId, useRef, useState } from "react";
import { sentence } from "../api/errors";
import { signIn, signInWithKey } from "../api/session";

/** Sign in by password, with a one-time code if the account requires one, or by API key. */
export function SignIn() {
  const [byKey, setByKey] = useState(false);
  const [codeWanted, setCodeWanted] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const id = useId();

  async function submit(event: FormEvent) {
    event.preventDefault();
    const given = new FormData(form.current!);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    setBusy(true);
    setError(null);
    try {
      if (byKey) await signInWithKey(text("key"));
      else await signIn(text("mail"), String(given.get("password")), text("code") || undefined);
    } catch (problem) {
      const message = sentence(problem);
      // The right password without a code is refused with a message that asks for the code.
      if (/code/i.test(message) && !byKey) setCodeWanted(true);
      setError(message);
      setBusy(false);
    }
  }

  return (
    <form ref={form} className="sign-in" onSubmit={submit} aria-labelledby={`${id}-title`}>
      <h1 id={`${id}-title`}>Sign in</h1>
      {byKey ? (
        <label>
          API key
          <input name="key" type="password" autoComplete="off" required autoFocus />
        </label>
      ) : (
        <>
          <label>
            Mail
            <input name="mail" type="email" autoComplete="username" required autoFocus />
          </label>
          <label>
            Password
            <input name="password" type="password" autoComplete="current-password" required />
          </label>
          {codeWanted && (
            <label>
              One-time code
              <input name="code" inputMode="numeric" pattern="[0-9 ]*" autoComplete="one-time-code" required autoFocus />
            </label>
          )}
        </>
      )}
      <p className="problem" role="alert">
        {error}
      </p>
      <button type="submit" className="primary" disabled={busy}>
        {busy ? "Signing in …" : "Sign in"}
      </button>
      <p className="alternatives">
        {!byKey && !codeWanted && (
          <button type="button" className="link" onClick={() => setCodeWanted(true)}>
            I have a one-time code
          </button>
        )}
        <button
          type="button"
          className="link"
          onClick={() => {
            setByKey(!byKey);
            setError(null);
          }}
        >
          {byKey ? "Use mail and password" : "Use an API key"}
        </button>
      </p>
    </form>
  );
}
