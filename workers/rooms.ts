/**
 * Rooms: the memory that frames of lanes are read into.
 *
 * A peer says how large its next frame is, and may say so on very many lanes.
 * So all lanes of a session share what there is: a lane has a room for one frame
 * at a time, and waits when the others have them all. The peer waits then too.
 *
 * @module
 */
import { createSemaphore } from "../core/semaphore.ts";
import { RECORD_HEADER_BYTES } from "../protocol/lane.ts";
import { isLarge, largeRoom } from "../store/large_pages.ts";
import { alignedRoom } from "../store/root_direct.ts";

/** Room for one frame. */
export interface Room {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Gives it back: the same bytes, in whatever buffer they came to be; none when they are lost. */
  release(bytes: Uint8Array<ArrayBuffer> | undefined): void;
}

/** Rooms of one session. */
export interface Rooms {
  /** True when somebody waits for a room. */
  readonly isCrowded: boolean;
  /** Waits for a room of at least `length` bytes. */
  take(length: number, signal: AbortSignal): Promise<Room>;
  /** Gives a share of what there is to another thread, until it is over; false when too much is given away. */
  lend(bytes: number, over: Promise<unknown>): boolean;
  /** Shares that other threads have. */
  readonly shares: number;
}

/** Rooms are whole steps: frames of nearly one length then share theirs, bytes. */
const STEP_BYTES = 64 * 1024;
/** What other threads may have of all of it. */
const LENT = 5 / 6;

/** Frames that all lanes of a session hold at a time, bytes. */
const ROOM_BYTES = 96 * 1024 * 1024;

/** Rooms in large pages, which are used before others: one for each lane that goes over TCP beside QUIC. */
const LARGE_ROOMS = 3;
/** What is less gains nothing by them, bytes. */
const LARGE_BYTES = 512 * 1024;

/**
 * Creates rooms that come to `maxBytes` in use at most, and half as much that
 * waits for use.
 *
 * @param largeRooms How many may lie in large pages.
 */
export function createRooms(
  maxBytes: number = ROOM_BYTES,
  largeRooms: number = LARGE_ROOMS,
): Rooms {
  const free = createSemaphore(maxBytes);
  let large = 0; // rooms that lie in large pages
  const idle: Uint8Array<ArrayBuffer>[] = [];
  let idleBytes = 0;
  let lent = 0;
  let shares = 0;

  /** One that was used before and is not much too large. */
  const used = (length: number): Uint8Array<ArrayBuffer> | undefined => {
    const fits = (one: Uint8Array): boolean =>
      one.length >= length && one.length <= 2 * length;
    let at = idle.findLastIndex((one) => fits(one) && isLarge(one));
    if (at < 0) at = idle.findLastIndex(fits);
    const [found] = at < 0 ? [] : idle.splice(at, 1);
    idleBytes -= found?.length ?? 0;
    return found;
  };
  /** One that was not there before. */
  const made = (length: number): Uint8Array<ArrayBuffer> => {
    const mayBeLarge = length >= LARGE_BYTES && large < largeRooms;
    const bytes = mayBeLarge
      ? largeRoom(length, RECORD_HEADER_BYTES)
      : undefined;
    if (bytes !== undefined) large++;
    return bytes ?? alignedRoom(length, RECORD_HEADER_BYTES);
  };
  const lose = (bytes: Uint8Array<ArrayBuffer>): void => {
    if (isLarge(bytes)) large--;
  };
  const keep = (bytes: Uint8Array<ArrayBuffer>): void => {
    if (bytes.length * 2 > maxBytes) return lose(bytes);
    while ((idleBytes + bytes.length) * 2 > maxBytes) {
      const [oldest] = idle.splice(0, 1);
      if (oldest === undefined) break;
      idleBytes -= oldest.length;
      lose(oldest);
    }
    idle.push(bytes);
    idleBytes += bytes.length;
  };

  return {
    get shares() {
      return shares;
    },
    lend(bytes, over) {
      if (lent + bytes > maxBytes * LENT) return false;
      lent += bytes;
      shares++;
      free.acquire(undefined, bytes).then(async (permit) => {
        await over;
        permit.release();
        lent -= bytes;
        shares--;
      });
      return true;
    },
    get isCrowded() {
      return free.waiting > 0;
    },
    async take(length, signal) {
      const permit = await free.acquire(signal, Math.min(length, maxBytes));
      const size = Math.ceil(length / STEP_BYTES) * STEP_BYTES;
      const bytes = used(size) ?? made(size);
      const wasLarge = isLarge(bytes);
      return {
        bytes,
        release(back) {
          permit.release();
          if (back !== undefined) keep(back);
          else if (wasLarge) large--;
        },
      };
    },
  };
}
