import { createHmac, timingSafeEqual } from "node:crypto";

/** True if a request of this server has this header `Fullon-Signature` and this body, a string or a Buffer. */
export function isGenuine(secret, signature, body) {
  const parts = Object.fromEntries(signature.split(",").map((part) => part.split("=")));
  const expected = createHmac("sha256", secret).update(`${parts.t}.`).update(body).digest();
  const given = Buffer.from(parts.v1, "hex");
  const isRecent = Math.abs(Date.now() / 1000 - Number(parts.t)) < 300;
  return isRecent && given.length === expected.length && timingSafeEqual(expected, given);
}
