/**
 * A helper, and the local network in its place where it cannot be reached.
 *
 * A code that is made without the helper has a number that no helper gives away
 * (`lan_helper.ts`), so that whoever is told it looks in the right place. A
 * number that both sides agreed on is met at the helper only.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { codeOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { within } from "./channel.ts";
import type { HelperClient } from "./client.ts";
import { isLocalSlot } from "./code.ts";

/** How long a helper is waited for before a code is made without it, ms. */
const REACH_MS = 6000;

/** Makes a client of `helper`, or of `lan` where that cannot be reached. */
export function helperOrLan(
  helper: HelperClient,
  lan: HelperClient,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): HelperClient {
  let current = helper;
  return {
    async allocate(nonce, signal) {
      if (current === lan) return await lan.allocate(nonce, signal);
      const over = new AbortController();
      try {
        const either = AbortSignal.any([signal, over.signal]);
        return await within(
          helper.allocate(nonce, either),
          REACH_MS,
          "Cannot reach the helper: no answer",
          clock,
          signal,
        );
      } catch (error) {
        signal.throwIfAborted();
        over.abort();
        if (codeOf(error) !== "unreachable") throw error;
        log.event("helper.not-reached", { error: String(error) });
        current = lan;
        return await lan.allocate(nonce, signal);
      }
    },
    async claim(role, slot, nonce, signal) {
      current = isLocalSlot(slot) ? lan : helper;
      return await current.claim(role, slot, nonce, signal);
    },
    join: (id, nonce, signal) => current.join(id, nonce, signal),
    host: (id, welcome, waiting, signal) =>
      current.host(id, welcome, waiting, signal),
    get remote() {
      return current.remote;
    },
    async close() {
      await Promise.all([helper.close(), lan.close()]);
    },
  };
}
