/**
 * A dialer that is loaded when it first dials: most transfers never ask for TCP.
 *
 * @module
 */
import type { Dialer } from "./transport.ts";

/** Makes a dialer of one that `load` gives, once. */
export function lateDialer(load: () => Promise<Dialer>): Dialer {
  let loaded: Promise<Dialer> | undefined;
  return {
    async dial(signal) {
      signal.throwIfAborted();
      const dialer = await (loaded ??= load());
      return await dialer.dial(signal);
    },
  };
}
