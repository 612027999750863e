/**
 * Time limits of tests that wait for the real world. A slow machine sets
 * `SFTPX_TIMESCALE`, a factor, and no test has to know.
 *
 * @module
 */
import { systemClock } from "../../core/clock.ts";

/** `ms`, or longer on a machine that says that it is slow. */
export function scaled(ms: number): number {
  const factor = Number(Deno.env.get("SFTPX_TIMESCALE") ?? 1);
  if (!(factor > 0)) {
    throw new RangeError(
      `Cannot scale time as SFTPX_TIMESCALE must be > 0: current value is ${factor}`,
    );
  }
  return ms * factor;
}

/**
 * Waits for `promise`, for `ms` (scaled) at most.
 *
 * @param what Names what is waited for, in the error.
 */
export async function within<T>(
  ms: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const late = systemClock.delay(scaled(ms), over.signal).then((): never => {
    throw new Error(`Cannot wait for ${what} any longer: ${scaled(ms)} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}
