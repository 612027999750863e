/**
 * The small files of a frame, made on another thread where there is one.
 *
 * @module
 */
import type { FileMaker, FileToMake, Made } from "../workers/file_maker.ts";
import type { CheckedChunk, Target } from "./lane_receive.ts";

/** A chunk of data, where its bytes are in the body, and where they belong. */
export interface Arrival extends CheckedChunk {
  readonly target: Target;
  readonly start: number;
  readonly end: number;
}

/** What became of the chunks of a frame. */
export interface MadeFiles {
  /** The frame, which may have moved. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly written: readonly Arrival[];
  /** To be written in another way. What is in neither list went nowhere. */
  readonly left: readonly Arrival[];
}

/** Fewer files of a frame are not worth the way. */
const LEAST_FILES = 4;

/** Has the files made that can be. */
export async function makeFiles(
  maker: FileMaker | undefined,
  bytes: Uint8Array<ArrayBuffer>,
  arrivals: readonly Arrival[],
): Promise<MadeFiles> {
  const none = { bytes, written: [], left: arrivals };
  if (maker === undefined || arrivals.length < LEAST_FILES) return none;
  if (!maker.isReady(arrivals.length)) return none;
  const left: Arrival[] = [];
  const begun: Arrival[] = [];
  const files: FileToMake[] = [];
  for (const arrival of arrivals) {
    const dir = arrival.target.beginWrite();
    if (dir < 0) {
      left.push(arrival);
      continue;
    }
    begun.push(arrival);
    files.push(fileOf(arrival, dir));
  }
  if (begun.length === 0) return none;
  let made: Made;
  try {
    made = await maker.make(bytes, files);
  } catch (error) {
    for (const { target } of begun) target.endWrite(undefined);
    throw error;
  }
  const written: Arrival[] = [];
  let at = 0;
  for (const arrival of begun) {
    const isDone = arrival.target.endWrite(made.stampOf(at++));
    if (isDone === undefined) left.push(arrival);
    else if (isDone) written.push(arrival);
  }
  return { bytes: made.bytes, written, left };
}

function fileOf({ target, start, end }: Arrival, dir: number): FileToMake {
  const { name, entry: { mode, mtimeNs } } = target;
  return { dir, name, start, end, mode, mtimeNs };
}
