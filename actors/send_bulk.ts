/**
 * The sender's connection over TCP for bulk, beside the one by QUIC: when it is
 * opened, and what becomes of the chunks when it is not worth it or is lost.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { type BulkOptions, createBulk } from "../protocol/bulk.ts";
import type { Conn } from "../transport/transport.ts";
import type { Joined } from "./send_fleet.ts";
import type { SendRun } from "./send_run.ts";
import type { Wire } from "./send_wire.ts";

/** What bulk needs. */
export interface BulkDeps extends BulkOptions {
  /** Dials the receiver over TCP, for lanes of this session; `undefined` when there is no such way. */
  readonly dial:
    | ((connection: number, signal: AbortSignal) => Promise<Conn>)
    | undefined;
  /** Lanes of the connection. */
  readonly lanes: number;
  /** Runs a task beside the actor; what comes of it is sent to the actor. */
  readonly spawn: (
    task: (signal: AbortSignal) => Promise<Joined | undefined>,
  ) => void;
}

/** The connection for bulk of one epoch. */
export interface BulkLanes {
  /** True while all chunks go over it. */
  readonly isUsed: boolean;
  /** True while it is about to stand: what is given to other lanes now should be little. */
  readonly holdsBack: boolean;
  /** Tells whether a connection is ours. */
  isOurs(connection: number): boolean;
  /** Takes what the receiver has had over the network so far, bytes. */
  received(bytes: number): void;
  /** Looks whether it is called for; some times a second. */
  look(run: SendRun, rttMs: number | undefined): void;
  /** Puts it to use. */
  joined(message: Joined, run: SendRun): void;
  /** It was lost: what it had goes again. */
  gone(connection: number, run: SendRun): void;
}

/** Numbers of connections from here on are ours. */
const FIRST = 1024;
/** More lanes than this bring nothing over TCP: the kernel has the windows. */
export const BULK_LANES = 3;

/** Creates the bulk lanes that go with a wire. */
export function createBulkLanes(
  wire: Wire,
  deps: BulkDeps,
  clock: Clock,
): BulkLanes {
  const { dial, lanes, spawn } = deps;
  const bulk = createBulk(deps);
  let current = FIRST - 1;
  let isThere = false;
  let receivedBytes = 0;

  const open = (): void => {
    const connection = ++current;
    spawn(async (signal) => {
      try {
        const conn = await dial?.(connection, signal);
        if (conn !== undefined) {
          return { type: "joined", epoch: wire.epoch, connection, conn };
        }
      } catch (error) {
        // The transfer goes on over what it has.
        if (!(error instanceof SftpxError) && !signal.aborted) throw error;
      }
      bulk.lost(clock.now());
      return undefined;
    });
  };
  const leave = (run: SendRun): void => {
    isThere = false;
    for (const work of wire.drop(current)) run.again(work);
    wire.wake();
  };

  return {
    get isUsed() {
      return isThere && bulk.isUsed;
    },
    get holdsBack() {
      return bulk.holdsBack(clock.now());
    },
    isOurs: (connection) => connection >= FIRST,
    received(bytes) {
      receivedBytes = bytes;
    },
    look(run, rttMs) {
      if (dial === undefined) return;
      const { found, durable } = run.ledger.totals;
      const verdict = bulk.sample({
        nowMs: clock.now(),
        receivedBytes,
        rttMs,
        pendingBytes: found - durable,
        isAlone: isThere && wire.isResting,
      });
      switch (verdict) {
        case "keep":
          return;
        case "try":
          return open();
        case "back":
          return leave(run);
        default:
          unreachable(verdict);
      }
    },
    joined({ connection, conn }, run) {
      if (connection !== current) return conn.close();
      isThere = true;
      bulk.joined();
      wire.join(connection, conn, { lanes });
      for (const work of wire.restAllBut(connection)) run.again(work);
    },
    gone(connection, run) {
      if (connection !== current || !isThere) return;
      bulk.lost(clock.now());
      leave(run);
    },
  };
}
