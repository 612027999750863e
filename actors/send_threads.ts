/**
 * The sender's connections on threads of their own: one thread carries 200 to
 * 300 MiB/s by QUIC, so where a processor is what limits, and there are more of
 * them, further connections on other threads are what helps.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Limiter } from "../core/events.ts";
import type { Conn } from "../transport/transport.ts";
import type { Joined } from "./send_fleet.ts";
import type { SendRun } from "./send_run.ts";
import { FIRST_OTHER, type Wire } from "./send_wire.ts";

/** What connections on threads need. */
export interface ThreadLanesDeps {
  /** Dials the receiver from a thread of its own. */
  readonly dial: (connection: number, signal: AbortSignal) => Promise<Conn>;
  /** Threads at most. */
  readonly max: number;
  /** Opens all of them at once, whatever limits. */
  readonly isForced: boolean;
}

/** The connections on threads of one epoch. */
export interface ThreadLanes {
  /** Connections that there are. */
  readonly count: number;
  /** Tells whether a connection is ours. */
  isOurs(connection: number): boolean;
  /** Looks whether more are called for; some times a second. */
  look(run: SendRun, limiter: Limiter | undefined): void;
  /** Puts one to use. */
  joined(message: Joined): void;
  /** One was lost: what it had goes again. */
  gone(connection: number, run: SendRun): void;
}

/** Numbers of connections from here on are the bulk's. */
const END = 1024;
/** Less than this is over before another is there, bytes. */
const WORTH_BYTES = 16 * 1024 * 1024;
/** And where the processor has to be seen to limit first. */
const AUTO_WORTH_BYTES = 512 * 1024 * 1024;
/** One at a time: what limits is seen over some seconds, ms. */
const STEP_MS = 4000;
/** Lanes of one: it is there for the processor's sake, and each lane takes 2 MB of either end. */
const LANES = 6;
/** After one that could not be had, or was lost, ms; then twice as long. */
const PAUSE_MS = 2000;

/**
 * Creates the thread lanes that go with a wire.
 *
 * @param spawn Runs a task beside the actor; what comes of it is sent to the actor.
 */
export function createThreadLanes(
  wire: Wire,
  { dial, max, isForced }: ThreadLanesDeps,
  spawn: (task: (signal: AbortSignal) => Promise<Joined | undefined>) => void,
  clock: Clock,
): ThreadLanes {
  const there = new Set<number>();
  let current = FIRST_OTHER - 1;
  let dialling = 0;
  let notBeforeMs = -Infinity;
  let pauseMs = PAUSE_MS;

  const pause = (): void => {
    notBeforeMs = clock.now() + pauseMs;
    pauseMs *= 2;
  };
  const open = (): void => {
    dialling++;
    const connection = ++current;
    spawn(async (signal) => {
      try {
        const conn = await dial(connection, signal);
        return { type: "joined", epoch: wire.epoch, connection, conn };
      } catch (error) {
        // The transfer goes on over what it has.
        if (!(error instanceof SftpxError) && !signal.aborted) throw error;
        pause();
        return undefined;
      } finally {
        dialling--;
      }
    });
  };

  return {
    get count() {
      return there.size;
    },
    isOurs: (connection) => connection >= FIRST_OTHER && connection < END,
    look(run, limiter) {
      if (wire.link.conn.carrier !== "quic" || current >= END - 1) return;
      const { found, durable } = run.ledger.totals;
      const isWorth =
        found - durable > (isForced ? WORTH_BYTES : AUTO_WORTH_BYTES);
      if (!isWorth || clock.now() < notBeforeMs) return;
      if (isForced) {
        while (there.size + dialling < max) open();
        return;
      }
      const isBusy = limiter === "cpu" || limiter === "peer-cpu";
      if (!isBusy || there.size + dialling >= max) return;
      notBeforeMs = clock.now() + STEP_MS;
      open();
    },
    joined({ connection, conn }) {
      there.add(connection);
      wire.join(connection, conn, { lanes: LANES });
    },
    gone(connection, run) {
      if (!there.delete(connection)) return;
      pause();
      for (const work of wire.drop(connection)) run.again(work);
    },
  };
}
