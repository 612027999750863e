/**
 * The clients that are in: who is busy, and who says nothing.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import type { HttpConnection } from "./http.ts";

/** How long TLS may take, and how long until the first request, ms. */
export const ARRIVAL_MS = 20_000;

/** A client that is in. */
export interface Client extends HttpConnection {
  /** Ends its connection. */
  readonly close: () => void;
  /** Requests that are being answered. */
  requests: number;
  /** When it was last heard. */
  seenMs: number;
  /** Whether there was a request. */
  hasAsked: boolean;
}

/** Waits until no request is being answered, for `ms` at most. */
export async function quiet(
  clients: ReadonlyMap<number, Client>,
  clock: Clock,
  ms: number,
): Promise<void> {
  const end = clock.now() + ms;
  const isBusy = (): boolean =>
    [...clients.values()].some(({ requests }) => requests > 0);
  while (isBusy() && clock.now() < end) await clock.delay(LOOK_MS);
}

const LOOK_MS = 50;
/** How often is looked for clients that say nothing, ms. */
const IDLE_LOOK_MS = 5000;

/** Closes those that say nothing: at first soon, later after `idleMs` if that is not 0. */
export async function watchIdle(
  clients: ReadonlyMap<number, Client>,
  clock: Clock,
  idleMs: number,
  signal: AbortSignal,
): Promise<void> {
  const lookMs = idleMs > 0 ? Math.min(idleMs, IDLE_LOOK_MS) : IDLE_LOOK_MS;
  while (!signal.aborted) {
    await clock.delay(lookMs, signal).catch(() => {}); // it is over
    const now = clock.now();
    for (const client of [...clients.values()]) {
      const silentMs = now - client.seenMs;
      const isIdle = client.requests === 0 &&
        (client.hasAsked
          ? idleMs > 0 && silentMs > idleMs
          : silentMs > ARRIVAL_MS);
      if (isIdle) client.close();
    }
  }
}
