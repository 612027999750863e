/**
 * What the parts of a helper share.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { Carrier, Conn } from "../transport/transport.ts";
import type { Channel } from "./channel.ts";
import type { EndReason, Message } from "./messages.ts";
import type { Guest, Rooms } from "./rooms.ts";
import type { Pulse } from "./server_pulse.ts";
import type { RelayHost } from "./types.ts";

/** What the parts of a helper share. */
export interface HelperWorld {
  readonly rooms: Rooms<HelperGuest>;
  readonly relay: RelayHost | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly randomBytes: RandomBytes;
  readonly counts: HelperCounts;
  /** Takes one request of an address; false when it has had enough. */
  readonly mayAsk: (hostname: string) => boolean;
  /** False for an address that has guessed wrong too often. */
  readonly mayGuess: (hostname: string) => boolean;
  /** Notes a wrong guess at which these two were. */
  readonly guessed: (...hostnames: readonly string[]) => void;
  /** Aborts when the helper stops. */
  readonly signal: AbortSignal;
}

/** What a helper counts. */
export interface HelperCounts {
  readonly paired: () => void;
  readonly burnt: () => void;
  readonly refused: (reason: EndReason) => void;
  readonly passedOn: (bytes: number) => void;
  readonly rooms: () => void;
}

/** A peer at the helper. */
export interface HelperGuest extends Guest {
  readonly conn: Conn;
  readonly carrier: Carrier;
  readonly inbox: Inbox;
  readonly nonce: Uint8Array;
  /** The slot where it waits or has waited. */
  slot?: number;
  /** True for one whose slot we chose: it cannot guess. */
  readonly isGiven: boolean;
  /** Whether it is still there. */
  readonly pulse: Pulse;
  /** Resolves when it was found to be gone. */
  readonly lost: Promise<void>;
  /** Ends what it waits for. */
  end(reason: EndReason): void;
  /** Ends its wait as another has come, who sees to both from then on. */
  met(done: Promise<void>): void;
  /** It is gone: ends its wait or its pair; resolves when that is over. */
  lose(): Promise<void>;
}

/** Messages of a peer, of which the next can be looked at and left. */
export interface Inbox {
  readonly channel: Channel;
  /** The next message; `undefined` when there is none to come. */
  peek(): Promise<Message | undefined>;
  /** The next message, which is gone then. */
  take(): Promise<Message | undefined>;
}

/** The address of a peer, without its port. */
export function hostOf({ remote }: Conn): string {
  const host = remote.slice(0, remote.lastIndexOf(":"));
  return host.replace(/^\[|\]$/g, "");
}
