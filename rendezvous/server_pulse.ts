/**
 * Whether a peer that has a place at a helper is still there. QUIC needs most of
 * a minute to see that a process was killed; whoever comes for its place does
 * not wait for that, as the helper asks.
 *
 * A question is a stream of its own, and its answer the first message there.
 * Each is asked once when it gets its place: a peer of a version that does not
 * know the question says nothing then, and is taken to be there until its
 * connection is lost. So is one over TCP, where the system says that a process
 * has ended.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Conn } from "../transport/transport.ts";
import { createChannel, within } from "./channel.ts";

/** Questions to one peer. */
export interface Pulse {
  /** Asks the first time, so that it is known whether this peer answers. */
  begin(): void;
  /** Asks whether it is gone; those who want to know at one time share the answer. */
  isGone(): Promise<boolean>;
}

/** How long an answer may take, ms: several round trips, and packets that are lost. */
const ANSWER_MS = 2500;

/** Makes the questions to the peer at the other end of `conn`. */
export function createPulse(
  conn: Conn,
  clock: Clock,
  signal: AbortSignal,
): Pulse {
  let first: Promise<boolean> | undefined;
  let asking: Promise<boolean> | undefined;

  const ask = async (): Promise<boolean> => {
    const opening = conn.openBidi().then(createChannel);
    const answer = async (): Promise<boolean> => {
      const channel = await opening;
      await channel.write({ type: "ping" });
      return (await channel.read())?.type === "pong";
    };
    try {
      return await within(answer(), ANSWER_MS, "", clock, signal);
    } catch { // too late, or its connection is gone
      return false;
    } finally {
      opening.then((channel) => channel.close(), () => {});
    }
  };

  return {
    begin() {
      if (conn.carrier !== "tcp") first ??= ask(); // never rejects
    },
    async isGone() {
      if (!await first) return false;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return !await asking;
    },
  };
}
