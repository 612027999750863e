/**
 * Passes on what a client sends, no faster than it is taken.
 *
 * The server behind takes a mebibyte or more of each connection before it is
 * read by anybody, which two hundred clients at once make into a gigabyte. So
 * each has a share of what may be on its way in all, and is read again when its
 * requests have taken some of it. What is on its way is an estimate, as a
 * request may end without taking all that came for it; so who is held up for
 * some time is let through, a piece at a time, whatever the estimate says.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";

/** Bytes of all clients that may be on their way to their requests. */
export const ON_THE_WAY_BYTES = 64 << 20;

/** Bytes of one client, however many there are. */
const LEAST_SHARE_BYTES = 131_072;

/** The way of one client's bytes. */
export interface Pump {
  /** Says that a request has taken bytes. */
  taken(bytes: number): void;
  /** Says that no request is left: nothing is on its way. */
  settled(): void;
  /** Lets a piece through if it is held up. */
  nudge(): void;
}

/**
 * Passes on what comes from one to the other.
 *
 * @param clients How many there are to share with.
 */
export function pump(from: Duplex, to: Duplex, clients: () => number): Pump {
  let onTheWay = 0;
  let isFull = false;
  const mayPass = (): boolean =>
    !isFull &&
    onTheWay <= Math.max(LEAST_SHARE_BYTES, ON_THE_WAY_BYTES / clients());
  const look = (): void => {
    if (mayPass()) from.resume();
  };
  from.on("data", (bytes: Buffer) => {
    onTheWay += bytes.length;
    isFull = !to.write(bytes);
    if (!mayPass()) from.pause();
  });
  from.on("end", () => to.end());
  to.on("drain", () => {
    isFull = false;
    look();
  });
  return {
    taken(bytes) {
      onTheWay = Math.max(0, onTheWay - bytes);
      look();
    },
    settled() {
      onTheWay = 0;
      look();
    },
    nudge() {
      if (from.isPaused() && !isFull) from.resume();
    },
  };
}
