/**
 * Hashing off the thread that drives the network, for digests that are too slow
 * for it. A digest that is fast enough is called in place.
 *
 * Buffers are moved to a Worker and back, never copied. At most two are with
 * each Worker: one that it hashes, one that waits for it. Further calls wait
 * here, in order, so a slow hash slows those who read from the network, and
 * nothing piles up.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  type Digest,
  DIGEST_LENGTH,
  type DigestName,
} from "../crypto/digest.ts";
import { spawnHashWorker } from "./hash_worker.ts";
import type { HashJob, HashReport } from "./messages.ts";

/** Start and end of a part, in bytes from the start of the view; the end is not in it. */
export type Part = readonly [start: number, end: number];

/** Digests, and the bytes back. */
export interface Hashed {
  /** 32 bytes for each part, in the order of the parts. */
  readonly digests: Uint8Array<ArrayBuffer>;
  /** The view that was given, over the buffer that came back. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Hashes bytes somewhere. */
export interface HashPool {
  /**
   * The digest of `bytes`. Their whole buffer may be moved away: use the view
   * that comes back, and no other view of that buffer until then.
   */
  digest(bytes: Uint8Array<ArrayBuffer>): Promise<
    {
      readonly digest: Uint8Array<ArrayBuffer>;
      readonly bytes: Uint8Array<ArrayBuffer>;
    }
  >;
  /** The digest of `bytes` where that is done in place; `undefined` elsewhere. */
  digestNow?(bytes: Uint8Array<ArrayBuffer>):
    | Uint8Array<ArrayBuffer>
    | undefined;
  /** The digests of parts of `bytes`: many small files that came together are one call. */
  digestParts(
    bytes: Uint8Array<ArrayBuffer>,
    parts: readonly Part[],
  ): Promise<Hashed>;
  /** So many bytes are about to come: what takes time to load is loaded meanwhile. */
  expect?(bytes: number): void;
  /** Rejects when a Worker has died for the second time; the pool is of no use then. It is always handled. */
  readonly failed: Promise<never>;
  /** Ends the Workers. What they had is rejected with `cancelled`. */
  close(): void;
}

/** What a hash pool needs. */
export interface HashPoolOptions {
  /** What to hash with. */
  readonly digest: Digest;
  /** How many Workers; 0 hashes in place, and so does a digest that is fast enough. */
  readonly size: number;
  /** Starts a Worker. @default {spawnHashWorker} */
  readonly spawn?: (digest: DigestName) => Worker;
}

/** More Workers than this are a mistake. */
const LARGEST_POOL = 256;

/** Jobs that one Worker has at most: one in hand, one waiting. */
const SLOTS = 2;

/** Creates a pool. Its Workers are started at once. */
export function createHashPool(options: HashPoolOptions): HashPool {
  const { size } = options;
  if (!Number.isInteger(size) || size < 0 || size > LARGEST_POOL) {
    throw new RangeError(
      `Cannot create hash pool as size must be an integer in 0..${LARGEST_POOL}: current value is ${size}`,
    );
  }
  const crew = size === 0 || options.digest.inline
    ? hashInPlace(options.digest)
    : hashInWorkers(options);
  return {
    failed: crew.failed,
    close: crew.close,
    ...(crew.now && { digestNow: crew.now }),
    async digest(bytes) {
      checkPresent(bytes);
      const hashed = await crew.hash(bytes, [[0, bytes.length]]);
      return { digest: hashed.digests, bytes: hashed.bytes };
    },
    async digestParts(bytes, parts) {
      checkPresent(bytes);
      for (const [start, end] of parts) checkPart(bytes, start, end);
      return await crew.hash(bytes, parts);
    },
  };
}

/** Those who do the work. */
interface Crew extends Pick<HashPool, "failed" | "close"> {
  now?(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined;
  hash(bytes: Uint8Array<ArrayBuffer>, parts: readonly Part[]): Promise<Hashed>;
}

function hashInPlace(digest: Digest): Crew {
  let closed = false;
  return {
    failed: new Promise<never>(() => {}),
    close() {
      closed = true;
    },
    now: (bytes) => closed ? undefined : digest.digest(bytes),
    // deno-lint-ignore require-await -- a failure is to be a rejection here too
    async hash(bytes, parts) {
      if (closed) throw closedError();
      const digests = new Uint8Array(parts.length * DIGEST_LENGTH);
      for (const [at, [start, end]] of parts.entries()) {
        const part = bytes.subarray(start, end);
        digests.set(digest.digest(part), at * DIGEST_LENGTH);
      }
      return { digests, bytes };
    },
  };
}

/** One call, until its digests are there. */
interface Call {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly offset: number;
  readonly length: number;
  readonly parts: readonly Part[];
  resolve(hashed: Hashed): void;
  reject(error: unknown): void;
}

/** The place of one Worker, which outlives it once. */
interface Seat {
  worker: Worker | undefined;
  ready: boolean;
  replaced: boolean;
  /** What the Worker has, by id. */
  readonly held: Map<number, Call>;
}

function hashInWorkers(options: HashPoolOptions): Crew {
  const { digest, size, spawn = spawnHashWorker } = options;
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {}); // nobody has to listen
  const waiting: Call[] = [];
  let lastId = 0;
  let ended: SftpxError | undefined;

  const start = (seat: Seat): void => {
    const worker = spawn(digest.name);
    seat.worker = worker;
    seat.ready = false;
    worker.onmessage = ({ data }: MessageEvent<HashReport>) => {
      if (seat.worker === worker) hear(seat, data);
    };
    worker.onerror = (event) => {
      event.preventDefault(); // or it would end the process
      if (seat.worker === worker) bury(seat, event.message);
    };
  };

  const hear = (seat: Seat, report: HashReport): void => {
    if (report.type === "ready") {
      seat.ready = true;
    } else {
      const call = seat.held.get(report.id);
      seat.held.delete(report.id);
      if (report.type === "failed") {
        call?.reject(
          new SftpxError("internal", `Cannot hash: ${report.reason}`),
        );
      } else if (call !== undefined) {
        const { buffer, digests } = report;
        const bytes = new Uint8Array(buffer, call.offset, call.length);
        call.resolve({ digests, bytes });
      }
    }
    give();
  };

  const bury = (seat: Seat, reason: string): void => {
    const error = new SftpxError(
      "internal",
      `Cannot hash: a worker has died: ${reason}`,
    );
    dismiss(seat, error);
    try {
      if (seat.replaced) throw error;
      seat.replaced = true;
      start(seat);
    } catch (cause) {
      end(error);
      fail(cause);
    }
  };

  /** Gives what waits to the Workers that have room, the idlest first. */
  const give = (): void => {
    while (ended === undefined) {
      const seat = seats.filter((seat) => seat.ready)
        .sort((a, b) => a.held.size - b.held.size)[0];
      if (seat === undefined || seat.held.size >= SLOTS) return;
      const call = waiting.shift();
      if (call === undefined) return;
      post(seat, call);
    }
  };

  const post = (seat: Seat, call: Call): void => {
    const id = ++lastId;
    const { buffer } = call.bytes;
    const parts = Float64Array.from(
      call.parts.flat(),
      (at) => call.offset + at,
    );
    try {
      const job: HashJob = { id, buffer, parts };
      seat.worker?.postMessage(job, [buffer]);
    } catch (error) { // this buffer cannot be moved; the next one may
      call.reject(new SftpxError("internal", `Cannot hash: ${error}`, error));
      return;
    }
    seat.held.set(id, call);
  };

  const end = (error: SftpxError): void => {
    ended ??= error;
    for (const seat of seats) dismiss(seat, error);
    for (const call of waiting.splice(0)) call.reject(error);
  };

  const seats: readonly Seat[] = Array.from({ length: size }, () => ({
    worker: undefined,
    ready: false,
    replaced: false,
    held: new Map(),
  }));
  for (const seat of seats) start(seat);

  return {
    failed,
    close: () => end(closedError()),
    hash(bytes, parts) {
      if (ended !== undefined) return Promise.reject(ended);
      return new Promise((resolve, reject) => {
        const { byteOffset: offset, length } = bytes;
        waiting.push({ bytes, offset, length, parts, resolve, reject });
        give();
      });
    },
  };
}

/** Ends the Worker of `seat`, if it has not ended by itself, and what it had. */
function dismiss(seat: Seat, error: SftpxError): void {
  seat.worker?.terminate();
  seat.ready = false;
  for (const call of seat.held.values()) call.reject(error);
  seat.held.clear();
}

function closedError(): SftpxError {
  return new SftpxError("cancelled", "Cannot hash: the pool is closed");
}

/** A view of a buffer that was moved away is empty, and would hash as such. */
function checkPresent(bytes: Uint8Array<ArrayBuffer>): void {
  if (bytes.buffer.detached) {
    throw new RangeError("Cannot hash bytes as their buffer was moved away");
  }
}

function checkPart(bytes: Uint8Array, start: number, end: number): void {
  if (!(start >= 0 && start <= end && end <= bytes.length)) {
    throw new RangeError(
      `Cannot hash part ${start}..${end} of ${bytes.length} bytes`,
    );
  }
}
