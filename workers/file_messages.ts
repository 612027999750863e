/**
 * What a receiver and the Worker that makes its files say to each other. Bytes
 * are moved, not copied: the buffer goes over and comes back.
 *
 * @module
 */

/** Make files of what is in a buffer. */
export interface FileJob {
  /** The report about this job has the same. */
  readonly id: number;
  /** Moved to the Worker. */
  readonly buffer: ArrayBuffer;
  /** The folder that they go to: open for as long as the job takes. */
  readonly dir: number;
  /** For each file: slot, start and end in the buffer, mode. */
  readonly files: Float64Array<ArrayBuffer>;
  /** For each file: when it was changed, ns. */
  readonly times: BigInt64Array<ArrayBuffer>;
}

/** Numbers of a file in `FileJob.files`. */
export const FILE_NUMBERS = 4;

/** What the Worker says. */
export type FileReport =
  /** It listens from now on; `isAble` is false where there are no such calls. */
  | { readonly type: "ready"; readonly isAble: boolean }
  /** The buffer back, and a 1 for each file that was made. */
  | {
    readonly type: "made";
    readonly id: number;
    readonly buffer: ArrayBuffer;
    readonly made: Uint8Array<ArrayBuffer>;
  };

/** The name that the Worker is started under. */
export const FILE_WORKER_NAME = "sftpx-files";
