/**
 * The migration watcher: sees when either end of a connection moves.
 *
 * QUIC moves a connection by itself and tells nobody, so both addresses are
 * looked at once a second. A gap between two looks that is much longer means
 * that this process was stopped or the machine slept.
 *
 * @module
 */
import { type Behavior, unreachable } from "../core/actor.ts";
import type { TransferEvent } from "../core/events.ts";
import type { Connected, Link } from "./connection.ts";

/** What the watcher can be told. */
export type MigrationMessage<L extends Link> =
  | Connected<L>
  | { readonly type: "tick" };

/** Something that moved. */
export interface Move {
  readonly side: "local" | "peer";
  readonly from: string;
  readonly to: string;
}

/** What the watcher needs. */
export interface MigrationDeps {
  /** This machine's addresses, in any order. */
  readonly localAddresses: () => readonly string[];
  readonly moved: (move: Move) => void;
  /** Told of a gap of this many milliseconds in which this process did not run. */
  readonly slept: (ms: number) => void;
}

/** Time between two looks, ms. */
export const LOOK_MS = 1000;
/** A look that comes this late was slept through, ms. */
const SLEPT_MS = 10_000;

/** Says that this process did not run for a while. */
export function sleptEvent(ms: number): TransferEvent {
  const seconds = Math.round(ms / 1000);
  const message = `this process did not run for ${seconds} s`;
  return { type: "warning", message };
}

/** Creates one life of a watcher. */
export function migration<L extends Link>(
  deps: MigrationDeps,
): Behavior<MigrationMessage<L>> {
  let link: L | undefined;
  let remote = "";
  let local = "";
  let looked = 0;
  const here = (): string => deps.localAddresses().toSorted().join(" ");
  return {
    start(cx) {
      local = here();
      looked = cx.clock.now();
      cx.after(LOOK_MS, { type: "tick" });
    },
    receive(message, cx) {
      switch (message.type) {
        case "connected":
          link = message.link;
          remote = link.conn.remote;
          return;
        case "tick": {
          const now = cx.clock.now();
          if (now - looked > SLEPT_MS) deps.slept(now - looked - LOOK_MS);
          looked = now;
          const localNow = here();
          if (localNow !== local) {
            deps.moved({ side: "local", from: local, to: localNow });
          }
          local = localNow;
          const remoteNow = link?.conn.remote ?? remote;
          if (remoteNow !== remote) {
            deps.moved({ side: "peer", from: remote, to: remoteNow });
          }
          remote = remoteNow;
          cx.after(LOOK_MS, { type: "tick" });
          return;
        }
        default:
          unreachable(message);
      }
    },
  };
}
