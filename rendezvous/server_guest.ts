/**
 * A peer that waits at a helper for another.
 *
 * @module
 */
import type { Conn } from "../transport/transport.ts";
import type { EndReason } from "./messages.ts";
import { createPulse } from "./server_pulse.ts";
import {
  type HelperGuest,
  type HelperWorld,
  hostOf,
  type Inbox,
} from "./server_world.ts";
import type { Role } from "./types.ts";

/** A guest that can be waited for. */
export interface Waiting {
  readonly guest: HelperGuest;
  readonly over: Promise<{ reason: EndReason } | { done: Promise<void> }>;
}

/** Makes a guest of a peer that has asked for something. */
export function createGuest(
  conn: Conn,
  inbox: Inbox,
  role: Role,
  nonce: Uint8Array,
  isGiven: boolean,
  { clock, signal }: Pick<HelperWorld, "clock" | "signal">,
): Waiting {
  const { promise: over, resolve } = Promise.withResolvers<
    { reason: EndReason } | { done: Promise<void> }
  >();
  const lost = Promise.withResolvers<void>();
  let pair: Promise<void> | undefined;
  return {
    over,
    guest: {
      role,
      hostname: hostOf(conn),
      conn,
      carrier: conn.carrier ?? "quic",
      inbox,
      nonce,
      isGiven,
      pulse: createPulse(conn, clock, signal),
      lost: lost.promise,
      end: (reason) => resolve({ reason }),
      met(done) {
        pair = done;
        resolve({ done });
      },
      async lose() {
        lost.resolve();
        resolve({ reason: "taken" });
        await pair?.catch(() => {}); // its own peer is told
      },
    },
  };
}
