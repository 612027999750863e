/**
 * Time limits on what a router is asked.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { SftpxError } from "../core/errors.ts";

/**
 * Does `work`, and gives it up after `ms`: its signal aborts then.
 *
 * @param late The error of giving up.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  late: () => SftpxError,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const over = new AbortController();
  const done = new AbortController();
  const abort = (): void => over.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  clock.delay(ms, done.signal).then(() => over.abort(late()), () => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(over.signal.reason);
  over.signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work(over.signal), promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    over.signal.removeEventListener("abort", stop);
    done.abort();
  }
}
