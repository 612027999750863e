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
  type MakeJob,
  PART_NUMBERS,
  type PlaceJob,
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
      const { placed, stamps } = placeAll(small, job);
      scope.postMessage({ type: "placed", id, placed, stamps }, [
        placed.buffer,
        stamps.buffer,
      ]);
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
  const made = new Uint8Array(times.length);
  const folder = { fd: dir };
  for (let file = 0; file < times.length; file++) {
    const at = file * FILE_NUMBERS;
    const [slot = -1, start = 0] = [files[at], files[at + 1]];
    const [end = 0, mode = 0] = [files[at + 2], files[at + 3]];
    const bytes = new Uint8Array(buffer, start, end - start);
    const meta = { mode, mtimeNs: times[file] ?? 0n };
    made[file] = small.make(folder, partName(slot), bytes, meta) ? 1 : 0;
  }
  return made;
}

function placeAll(
  small: SmallFiles,
  { from, parts, names }: PlaceJob,
): {
  placed: Uint8Array<ArrayBuffer>;
  stamps: BigInt64Array<ArrayBuffer>;
} {
  const placed = new Uint8Array(names.length);
  const stamps = new BigInt64Array(names.length * STAMP_NUMBERS);
  const folder = { fd: from };
  for (let part = 0; part < names.length; part++) {
    const name = names[part] ?? "";
    const [slot = -1, fd = -1] = [
      parts[part * PART_NUMBERS],
      parts[part * PART_NUMBERS + 1],
    ];
    if (fd < 0 || !small.renameNew(folder, partName(slot), { fd }, name)) {
      continue;
    }
    const found = small.stat({ fd }, name);
    if (found === undefined) continue;
    const at = part * STAMP_NUMBERS;
    stamps[at] = found.size;
    stamps[at + 1] = found.mtimeNs;
    stamps[at + 2] = found.ctimeNs;
    stamps[at + 3] = found.ino;
    placed[part] = 1;
  }
  return { placed, stamps };
}

const scope = globalThis as unknown as WorkerScope;
if ("WorkerGlobalScope" in globalThis && scope.name === FILE_WORKER_NAME) {
  serve(scope);
  // Never settles, so that nothing that is bundled after this module runs here.
  await new Promise<never>(() => {});
}
