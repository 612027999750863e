/**
 * The next turn of the event loop, which no timer of the platform reaches in
 * less than 2 ms.
 *
 * @module
 */

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

/**
 * Resolves once sockets and files have had a turn, too. The platform looks at
 * them when it has nothing else to do, or every 61 turns of its loop; what is
 * done on another thread lets it have nothing to do: 15 µs more than a turn.
 */
export async function idleTurn(): Promise<void> {
  await crypto.subtle.digest("SHA-256", NOTHING);
}
