/**
 * That side of the file maker: takes buffers, makes files of their parts, gives
 * them back. It starts as `hash_worker.ts` does, which says how.
 *
 * @module
 */
import { partName } from "../store/root_part_name.ts";
import { openSmallFiles, type SmallFiles } from "../store/root_small.ts";
import {
  FILE_NUMBERS,
  FILE_WORKER_NAME,
  type FileJob,
  type FileReport,
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
    const made = small === undefined
      ? new Uint8Array(job.times.length)
      : makeAll(small, job);
    const { id, buffer } = job;
    scope.postMessage({ type: "made", id, buffer, made }, [
      buffer,
      made.buffer,
    ]);
  };
  scope.postMessage({ type: "ready", isAble: small !== undefined });
}

function makeAll(
  small: SmallFiles,
  { buffer, dir, files, times }: FileJob,
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

const scope = globalThis as unknown as WorkerScope;
if ("WorkerGlobalScope" in globalThis && scope.name === FILE_WORKER_NAME) {
  serve(scope);
  // Never settles, so that nothing that is bundled after this module runs here.
  await new Promise<never>(() => {});
}
