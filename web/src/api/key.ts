/** A new idempotency key: however often a change is sent with it, it is made once. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID exists only where the page is secure
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
