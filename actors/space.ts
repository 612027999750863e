/**
 * Disk space, shared by all transfers of a receiver: what is promised to one is
 * not promised to another.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";

/** Promises of disk space. */
export interface Space {
  /**
   * Promises `bytes`.
   *
   * @throws {SftpxError} `local-io` when there is not as much.
   */
  reserve(bytes: number): Promise<void>;
  /** As `reserve()`, if what is free is known; false when that must be called. */
  reserveNow(bytes: number): boolean;
  /** Gives a promise back, or says that it was kept. */
  release(bytes: number): void;
  /** Makes sure that `bytes` could be promised now. */
  check(bytes: number): Promise<void>;
}

/** What is free is looked up again after this long, ms. */
const STALE_MS = 500;

/** Creates promises over the disk that `free` measures, of which `keepFree` bytes stay. */
export function createSpace(
  free: () => Promise<number>,
  keepFree: number,
  clock: Clock,
): Space {
  let promised = 0;
  let known = 0;
  let knownAt = -Infinity;

  const left = (): number => known - keepFree - promised;
  const look = async (): Promise<void> => {
    known = await free();
    knownAt = clock.now();
  };
  const check = async (bytes: number): Promise<void> => {
    if (clock.now() - knownAt > STALE_MS || bytes > left()) await look();
    if (bytes <= left()) return;
    const what = bytes === 0 ? "anything" : `${bytes} bytes`;
    throw new SftpxError(
      "local-io",
      `Cannot receive ${what}: the receiver's disk has room for ${
        Math.max(0, left())
      } more`,
      Object.assign(new Error("disk space"), { code: "ENOSPC" }),
    );
  };
  return {
    check,
    async reserve(bytes) {
      if (bytes === 0) return;
      await check(bytes);
      promised += bytes;
      known = Math.max(0, known);
    },
    reserveNow(bytes) {
      if (clock.now() - knownAt > STALE_MS || bytes > left()) return false;
      promised += bytes;
      return true;
    },
    release(bytes) {
      promised = Math.max(0, promised - bytes);
    },
  };
}
