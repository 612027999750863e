/**
 * That side of the file maker: takes buffers, makes files of their parts, gives
 * them back. It starts as `hash_worker.ts` does, which says how.
 *
 * @module
 */
import { partName } from "../store/root_part_name.ts";
import { openSmallFiles, type SmallFiles } from "../store/root_small.ts";
import type { NativeStat } from "../store/root_statx.ts";
import {
  FILE_NUMBERS,
  FILE_WORKER_NAME,
  type FileJob,
  type FileReport,
  type MakeJob,
  PART_NUMBERS,
  type PlaceJob,
  splitNames,
  STAMP_NUMBERS,
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
      const { done: placed, stamps } = placeAll(small, job);
      scope.postMessage({ type: "placed", id, placed, stamps }, [
        placed.buffer,
        stamps.buffer,
      ]);
      return;
    }
    const { done: made, stamps } = makeAll(small, job);
    const { buffer } = job;
    scope.postMessage({ type: "made", id, buffer, made, stamps }, [
      buffer,
      made.buffer,
      stamps.buffer,
    ]);
  };
  scope.postMessage({ type: "ready", isAble: small !== undefined });
}

/** What became of the files of a job. */
interface Done {
  readonly done: Uint8Array<ArrayBuffer>;
  readonly stamps: BigInt64Array<ArrayBuffer>;
}

function makeAll(
  small: SmallFiles,
  { buffer, files, names, times }: MakeJob,
): Done {
  const list = splitNames(names);
  return doAll(times.length, (file) => {
    const at = file * FILE_NUMBERS;
    const [fd = -1, start = 0] = [files[at], files[at + 1]];
    const [end = 0, mode = 0] = [files[at + 2], files[at + 3]];
    const bytes = new Uint8Array(buffer, start, end - start);
    const meta = { mode, mtimeNs: times[file] ?? 0n };
    return small.make({ fd }, list[file] ?? "", bytes, meta);
  });
}

function placeAll(small: SmallFiles, { from, parts, names }: PlaceJob): Done {
  const folder = { fd: from };
  const list = splitNames(names);
  return doAll(parts.length / PART_NUMBERS, (part) => {
    const name = list[part] ?? "";
    const at = part * PART_NUMBERS;
    const [slot = -1, fd = -1] = [parts[at], parts[at + 1]];
    if (fd < 0 || !small.renameNew(folder, partName(slot), { fd }, name)) {
      return undefined;
    }
    return small.stat({ fd }, name);
  });
}

function doAll(
  count: number,
  work: (file: number) => NativeStat | undefined,
): Done {
  const done = new Uint8Array(count);
  const stamps = new BigInt64Array(count * STAMP_NUMBERS);
  for (let file = 0; file < count; file++) {
    const found = work(file);
    if (found === undefined) continue;
    const at = file * STAMP_NUMBERS;
    stamps[at] = found.size;
    stamps[at + 1] = found.mtimeNs;
    stamps[at + 2] = found.ctimeNs;
    stamps[at + 3] = found.ino;
    done[file] = 1;
  }
  return { done, stamps };
}

const scope = globalThis as unknown as WorkerScope;
if ("WorkerGlobalScope" in globalThis && scope.name === FILE_WORKER_NAME) {
  serve(scope);
  // Never settles, so that nothing that is bundled after this module runs here.
  await new Promise<never>(() => {});
}
