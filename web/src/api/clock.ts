/** The server's time, as far as a ticker's age has told how far this browser's clock is off. */

let offset = 0;

/** Learn from something that happened at `time` and was `ageMs` old when the server sent it. */
export function learnTime(time: string, ageMs: number): void {
  const seen = Date.parse(time) + ageMs - Date.now();
  // What comes late looks as if the server's clock were behind; the greatest offset seen is nearest to the truth.
  offset = Math.abs(seen - offset) > 5000 ? seen : Math.max(offset, seen);
}

/** Now, in milliseconds of the server's clock. */
export const currentTime = (): number => Date.now() + offset;
