/**
 * What the hash pool and its Workers say to each other. Bytes are moved, not
 * copied: the buffer goes over and comes back.
 *
 * @module
 */

/** Hash some parts of a buffer. */
export interface HashJob {
  /** The report about this job has the same. */
  readonly id: number;
  /** Moved to the Worker. */
  readonly buffer: ArrayBuffer;
  /** Part `i` is `parts[2 * i]` to `parts[2 * i + 1]`, the end not in it. */
  readonly parts: Float64Array<ArrayBuffer>;
}

/** What a Worker says. */
export type HashReport =
  /** It listens from now on. */
  | { readonly type: "ready" }
  /** The digests of the parts, 32 bytes each, and the buffer back. */
  | {
    readonly type: "hashed";
    readonly id: number;
    readonly buffer: ArrayBuffer;
    readonly digests: Uint8Array<ArrayBuffer>;
  }
  /** This job failed; the next may not. */
  | { readonly type: "failed"; readonly id: number; readonly reason: string };

/** The name that a hash Worker is started under, with the digest that it is to use. */
export const HASH_WORKER_NAME = "sftpx-hash:";
