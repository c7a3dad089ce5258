/** The server's time, estimated from the ages of tickers. */

let offset = 0;

/** Update the estimate by a value of the time `time` that was `ageMs` old when the server sent it. */
export function learnTime(time: string, ageMs: number): void {
  const seen = Date.parse(time) + ageMs - Date.now();
  // A delayed message looks as if the server's clock were behind, so the greatest offset is the best estimate.
  offset = Math.abs(seen - offset) > 5000 ? seen : Math.max(offset, seen);
}

/** Now, in milliseconds of the server's clock. */
export const currentTime = (): number => Date.now() + offset;
