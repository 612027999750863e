/**
 * The next turn of the event loop, which no timer of the platform reaches in
 * less than 2 ms.
 *
 * @module
 */

import { systemClock } from "./clock.ts";

/** Resolves once all that the system had ready has been told. */
export function nextTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(undefined);
  return promise;
}

const NOTHING = new Uint8Array(0);
/** A loop that is kept busy is let be idle for sure this often, ms. */
const SURE_MS = 50;
/** Turns with more than this between them do not keep the loop busy, ms. */
const APART_MS = 250;

let sureMs = -Infinity;
let turnedMs = -Infinity;

/**
 * Resolves once sockets and files have had a turn, too. The platform looks at
 * them when it has nothing else to do, or every 61 turns of its loop; what is
 * done on another thread lets it have nothing to do: 15 µs more than a turn. On
 * a loaded machine that thread can be done before the platform has looked, every
 * time, so every 50 ms there is a timer, which cannot: 2 ms.
 */
export async function idleTurn(): Promise<void> {
  const now = systemClock.now();
  if (now - turnedMs > APART_MS) sureMs = now;
  if (now - sureMs < SURE_MS) await crypto.subtle.digest("SHA-256", NOTHING);
  else {
    await systemClock.delay(0);
    sureMs = systemClock.now();
  }
  turnedMs = systemClock.now();
}
