/**
 * What a receiver and the Worker that makes its files say to each other. Bytes
 * are moved, not copied: the buffer goes over and comes back.
 *
 * @module
 */
/** What the Worker can be told to do. */
export type FileJob = MakeJob | PlaceJob;

/** Give parts their names, never over something else. */
export interface PlaceJob {
  readonly type: "place";
  readonly id: number;
  /** The folder that they are in: open for as long as the job takes, as all are. */
  readonly from: number;
  /** For each part: its slot and the folder it goes to. */
  readonly parts: Float64Array<ArrayBuffer>;
  /** For each part: its name there, as `joinNames()` joins them. */
  readonly names: string;
}

/** Make files of what is in a buffer. */
export interface MakeJob {
  readonly type: "make";
  /** The report about this job has the same. */
  readonly id: number;
  /** Moved to the Worker. */
  readonly buffer: ArrayBuffer;
  /**
   * For each file: the folder that it goes to, which is open for as long as the
   * job takes, start and end in the buffer, mode.
   */
  readonly files: Float64Array<ArrayBuffer>;
  /** For each file: its name there, as `joinNames()` joins them. */
  readonly names: string;
  /** For each file: when it was changed, ns. */
  readonly times: BigInt64Array<ArrayBuffer>;
}

/** Many names as one text: a message with many texts takes longer to make and to read. */
export function joinNames(names: readonly string[]): string {
  return names.join("\0"); // which is in no name
}

/** What `joinNames()` joined. */
export function splitNames(names: string): readonly string[] {
  return names.split("\0");
}

/** Numbers of a file in `MakeJob.files`. */
export const FILE_NUMBERS = 4;
/** Numbers of a part in `PlaceJob.parts`. */
export const PART_NUMBERS = 2;
/** Numbers of a file in `stamps`: size, times of change of content and inode, number of the inode. */
export const STAMP_NUMBERS = 4;

/** What the Worker says. */
export type FileReport =
  /** It listens from now on; `isAble` is false where there are no such calls. */
  | { readonly type: "ready"; readonly isAble: boolean }
  /** The buffer back, a 1 for each file that was made, and what it is. */
  | {
    readonly type: "made";
    readonly id: number;
    readonly buffer: ArrayBuffer;
    readonly made: Uint8Array<ArrayBuffer>;
    readonly stamps: BigInt64Array<ArrayBuffer>;
  }
  /** A 1 for each part that got its name, and what stands there now. */
  | {
    readonly type: "placed";
    readonly id: number;
    readonly placed: Uint8Array<ArrayBuffer>;
    readonly stamps: BigInt64Array<ArrayBuffer>;
  };

/** The name that the Worker is started under. */
export const FILE_WORKER_NAME = "sftpx-files";
