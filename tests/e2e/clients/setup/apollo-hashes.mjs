import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { print } from "graphql";

/** Sends hashes instead of documents. The operation comes first, then its fragments by name, as in the manifest. */
export const hashes = () => new PersistedQueryLink({ generateHash: (document) => sha256(print(ordered(document))) });

const isFragment = ({ kind }) => kind === "FragmentDefinition";

const ordered = ({ kind, definitions }) => ({
  kind,
  definitions: definitions.toSorted(
    (a, b) => isFragment(a) - isFragment(b) || (a.name?.value < b.name?.value ? -1 : 1),
  ),
});

async function sha256(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
