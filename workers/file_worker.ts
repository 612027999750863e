/**
 * That side of the file maker: takes buffers, makes files of their parts, gives
 * them back. It starts as `hash_worker.ts` does, which says how.
 *
 * @module
 */
import { partName } from "../store/root_part_name.ts";
import type { NativeStat } from "../store/root_statx.ts";
import { openSmallFiles, type SmallFiles } from "../store/root_small.ts";
import {
  FILE_NUMBERS,
  FILE_WORKER_NAME,
  type FileJob,
  type FileReport,
  type MakeJob,
  PART_NUMBERS,
  type PlaceJob,
} from "./file_messages.ts";

/** Starts a Worker that makes files. */
export function spawnFileWorker(): Worker {
  return new Worker(import.meta.url, {
    type: "module",
    name: FILE_WORKER_NAME,
  });
}

/** What a Worker sees of itself; the types here are those of a main program. */
interface WorkerScope {
  readonly name?: string;
  onmessage: (event: MessageEvent<FileJob>) => void;
  postMessage(report: FileReport, transfer?: Transferable[]): void;
}

function serve(scope: WorkerScope): void {
  const small = openSmallFiles();
  scope.onmessage = ({ data: job }) => {
    const { id } = job;
    if (small === undefined) throw new TypeError("Cannot make files here");
    if (job.type === "place") {
      scope.postMessage({ type: "placed", id, found: placeAll(small, job) });
      return;
    }
    const made = makeAll(small, job);
    const { buffer } = job;
    scope.postMessage({ type: "made", id, buffer, made }, [
      buffer,
      made.buffer,
    ]);
  };
  scope.postMessage({ type: "ready", isAble: small !== undefined });
}

function makeAll(
  small: SmallFiles,
  { buffer, dir, files, times }: MakeJob,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(times, (mtimeNs, file) => {
    const [slot = -1, start = 0, end = 0, mode = 0] = files
      .subarray(file * FILE_NUMBERS);
    const bytes = new Uint8Array(buffer, start, end - start);
    return small
        .make({ fd: dir }, partName(slot), bytes, { mode, mtimeNs })
      ? 1
      : 0;
  });
}

function placeAll(
  small: SmallFiles,
  { from, parts, names }: PlaceJob,
): (NativeStat | undefined)[] {
  return names.map((name, part) => {
    const [slot = -1, fd = -1] = parts.subarray(part * PART_NUMBERS);
    const isPlaced = fd >= 0 &&
      small.renameNew({ fd: from }, partName(slot), { fd }, name);
    return isPlaced ? small.stat({ fd }, name) : undefined;
  });
}

const scope = globalThis as unknown as WorkerScope;
if ("WorkerGlobalScope" in globalThis && scope.name === FILE_WORKER_NAME) {
  serve(scope);
  // Never settles, so that nothing that is bundled after this module runs here.
  await new Promise<never>(() => {});
}
