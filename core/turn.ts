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
