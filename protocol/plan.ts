/**
 * The plan: which chunks go to which lane next.
 *
 * It is policy only. Entries go in index order, as that is the order in which
 * they retire and let the window move on; chunks that must go again go first.
 * A lease is a run of chunks of one large file, so that a lane reads and writes
 * in order, or a pack of small files, so that none costs a round trip.
 *
 * @module
 */
import { type Heap, heap } from "./heap.ts";
import { type Range, type RangeSet, rangeSet } from "./ranges.ts";

/** Consecutive chunks of one entry. */
export interface LeaseItem {
  readonly index: number;
  readonly gen: number;
  readonly first: number;
  readonly count: number;
}

/** Chunks that are given to one lane. */
export interface Lease {
  /** In the order in which they are to be sent. */
  readonly items: readonly LeaseItem[];
  /** Bytes of all chunks together. */
  readonly bytes: number;
}

/** How leases are cut. */
export interface PlanOptions {
  /**
   * Files up to this size travel in packs, and a pack is no larger.
   *
   * @default 1 MiB
   */
  readonly packBytes?: number;
  /**
   * Most chunks in a pack.
   *
   * @default 512
   */
  readonly packRecords?: number;
}

/** The chunks that are to be sent. */
export interface Plan {
  /** Bytes that are in no lease. */
  readonly pendingBytes: number;
  /** Adds all chunks of a file; it replaces what was planned of the entry. */
  addWant(
    index: number,
    gen: number,
    chunks: number,
    chunkSize: number,
    size: number,
  ): void;
  /** Adds chunks again, ahead of others; of an unknown gen there are none. */
  addRange(index: number, gen: number, first: number, count: number): void;
  /** Takes chunks out that need not be sent. */
  removeRange(index: number, gen: number, first: number, count: number): void;
  /** Takes an entry out; leases on it are worth nothing any more. */
  removeEntry(index: number): void;
  /** Takes out all entries below `next`. */
  removeBelow(next: number): void;
  /**
   * Returns what to send next, or `undefined` when there is nothing.
   *
   * @param maxBytes The size of the lease; one chunk may be more than that.
   */
  next(maxBytes: number): Lease | undefined;
  /** Takes back a lease that failed; its chunks go again, ahead of others. */
  giveBack(lease: Lease): void;
}

/** Options where none are given. */
export const DEFAULT_PLAN_OPTIONS: Readonly<Required<PlanOptions>> = Object
  .freeze({ packBytes: 1024 * 1024, packRecords: 512 });

interface Job {
  readonly index: number;
  readonly gen: number;
  readonly chunks: number;
  readonly chunkSize: number;
  readonly size: number;
  /** Chunks from here to `freshEnd` were never leased. */
  freshStart: number;
  freshEnd: number;
  /** Other chunks to be leased; most files never need a set. */
  again: RangeSet | undefined;
}

/** Creates an empty plan. */
export function createPlan(options: PlanOptions = {}): Plan {
  const { packBytes, packRecords } = { ...DEFAULT_PLAN_OPTIONS, ...options };
  integer("pack bytes", packBytes, 1);
  integer("pack records", packRecords, 1);
  const jobs = new Map<number, Job>();
  // A heap may hold a job more than once, and jobs that are done or replaced:
  // they are dropped when they come to the top.
  const fresh: Heap<Job> = heap((a, b) => a.index < b.index);
  const again: Heap<Job> = heap((a, b) => a.index < b.index);
  const open = new WeakMap<Lease, readonly Job[]>();
  let pendingBytes = 0;
  let lowest = 0; // all below were taken out

  function top(): Job | undefined {
    return topOf(again, hasAgain) ?? topOf(fresh, hasFresh);
  }

  function topOf(
    queue: Heap<Job>,
    waits: (job: Job) => boolean,
  ): Job | undefined {
    for (let job = queue.peek(); job !== undefined; job = queue.peek()) {
      if (waits(job) && jobs.get(job.index) === job) return job;
      queue.pop();
    }
    return undefined;
  }

  function take(job: Job, maxBytes: number): LeaseItem {
    const max = Math.max(1, Math.floor(maxBytes / job.chunkSize));
    const run = takeRun(job, max);
    pendingBytes -= bytesOf(job, run.start, run.end);
    return {
      index: job.index,
      gen: job.gen,
      first: run.start,
      count: run.end - run.start,
    };
  }

  function pack(items: LeaseItem[], owners: Job[], maxBytes: number): number {
    let bytes = 0;
    let records = 0;
    for (let job = top(); job !== undefined; job = top()) {
      if (job.size > packBytes || records + job.chunks > packRecords) break;
      if (items.length > 0 && bytes + job.size > maxBytes) break;
      const item = take(job, job.chunks * job.chunkSize);
      bytes += bytesOf(job, item.first, item.first + item.count);
      records += item.count;
      items.push(item);
      owners.push(job);
    }
    return bytes;
  }

  function addAgain(job: Job, start: number, end: number): void {
    pendingBytes -= pendingOf(job);
    remove(job, start, end);
    const ranges = job.again ?? rangeSet();
    ranges.add(start, end);
    job.again = ranges;
    pendingBytes += pendingOf(job);
    again.push(job);
  }

  function find(
    index: number,
    gen: number,
    first: number,
    count: number,
  ): Job | undefined {
    const job = jobs.get(index);
    if (job === undefined || job.gen !== gen) return undefined;
    integer("first", first, 0, job.chunks);
    integer("count", count, 0, job.chunks - first);
    return job;
  }

  function removeEntry(index: number): void {
    const job = jobs.get(index);
    if (job === undefined) return;
    pendingBytes -= pendingOf(job);
    jobs.delete(index);
  }

  return {
    get pendingBytes() {
      return pendingBytes;
    },
    addWant(index, gen, chunks, chunkSize, size) {
      integer("size", size, 0);
      integer("chunk size", chunkSize, 1);
      integer("chunks", chunks, 0);
      if (chunks !== Math.ceil(size / chunkSize)) {
        throw new RangeError(
          `Cannot plan entry ${index} as ${size} bytes are not ${chunks} chunks of ${chunkSize}`,
        );
      }
      removeEntry(index);
      const job: Job = {
        index,
        gen,
        chunks,
        chunkSize,
        size,
        freshStart: 0,
        freshEnd: chunks,
        again: undefined,
      };
      jobs.set(index, job);
      pendingBytes += size;
      if (chunks > 0) fresh.push(job);
    },
    addRange(index, gen, first, count) {
      const job = find(index, gen, first, count);
      if (job !== undefined && count > 0) addAgain(job, first, first + count);
    },
    removeRange(index, gen, first, count) {
      const job = find(index, gen, first, count);
      if (job === undefined || count === 0) return;
      pendingBytes -= pendingOf(job);
      remove(job, first, first + count);
      pendingBytes += pendingOf(job);
      if (hasAgain(job)) again.push(job);
    },
    removeEntry,
    removeBelow(next) {
      for (; lowest < next; lowest++) removeEntry(lowest);
    },
    next(maxBytes) {
      integer("lease", maxBytes, 1);
      const items: LeaseItem[] = [];
      const owners: Job[] = [];
      let bytes = pack(items, owners, Math.min(maxBytes, packBytes));
      if (items.length === 0) {
        const job = top();
        if (job === undefined) return undefined;
        const item = take(job, maxBytes);
        bytes = bytesOf(job, item.first, item.first + item.count);
        items.push(item);
        owners.push(job);
      }
      const lease = { items, bytes };
      open.set(lease, owners);
      return lease;
    },
    giveBack(lease) {
      const owners = open.get(lease);
      open.delete(lease); // once: it may have been leased again meanwhile
      for (const [at, job] of (owners ?? []).entries()) {
        const item = lease.items[at];
        if (item === undefined || jobs.get(job.index) !== job) continue;
        addAgain(job, item.first, item.first + item.count);
      }
    },
  };
}

function bytesOf(job: Job, start: number, end: number): number {
  if (end <= start) return 0;
  return Math.min(end * job.chunkSize, job.size) - start * job.chunkSize;
}

function pendingOf(job: Job): number {
  const { freshStart, freshEnd, chunks, chunkSize, size } = job;
  const again = job.again?.count ?? 0;
  const last = chunks - 1;
  const hasLast = hasFresh(job) && freshEnd === chunks ||
    job.again?.has(last) === true;
  const short = hasLast ? chunks * chunkSize - size : 0;
  return (freshEnd - freshStart + again) * chunkSize - short;
}

function hasFresh(job: Job): boolean {
  return job.freshStart < job.freshEnd;
}

function hasAgain(job: Job): boolean {
  return job.again?.isEmpty() === false;
}

function takeRun(job: Job, max: number): Range {
  const run = job.again?.takeFirst(max);
  if (run !== undefined) return run;
  const start = job.freshStart;
  job.freshStart = Math.min(start + max, job.freshEnd);
  return { start, end: job.freshStart };
}

/** Takes chunks out; what is fresh stays one run, the part below goes to `again`. */
function remove(job: Job, start: number, end: number): void {
  const { freshStart, freshEnd } = job;
  if (job.again !== undefined) job.again.remove(start, end);
  if (end <= freshStart || start >= freshEnd) return;
  if (end >= freshEnd) {
    job.freshEnd = Math.max(start, freshStart);
    return;
  }
  if (start > freshStart) {
    job.again ??= rangeSet();
    job.again.add(freshStart, start);
  }
  job.freshStart = end;
}

function integer(
  what: string,
  value: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot plan as ${what} must be an integer in ${min}..${max}: current value is ${value}`,
  );
}
