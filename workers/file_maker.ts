/**
 * Making and naming small files off the thread that drives the network.
 *
 * To make a file takes as long as all else that a receiver does for it, and
 * while a checkpoint is under way the file system lets nobody make one for
 * some time. So a Worker does it, of which there is one: file systems make one
 * file of a folder at a time.
 *
 * It starts when files have come that are worth it. Until it listens, and where
 * it cannot do it, callers make them themselves.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { idleTurn } from "../core/turn.ts";
import type { PlacedStamp } from "../store/journal_codec.ts";
import {
  FILE_NUMBERS,
  type FileJob,
  type FileReport,
  joinNames,
  PART_NUMBERS,
  STAMP_NUMBERS,
} from "./file_messages.ts";
import { spawnFileWorker } from "./file_worker.ts";

/** A file to make. */
export interface FileToMake {
  /** The descriptor of the folder it goes to. */
  readonly dir: number;
  readonly name: string;
  /** Where its content is: from the start of the view, the end not in it. */
  readonly start: number;
  readonly end: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** What was made, and the bytes back. */
export interface Made extends Placed {
  /** The view that was given, over the buffer that came back. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Makes files elsewhere. */
export interface FileMaker {
  /**
   * Whether it takes files now. One that says no may be about to start.
   *
   * @param files How many there would be.
   */
  isReady(files: number): boolean;
  /** So many files are about to come: it may be about to start. */
  expect(files: number): void;
  /** Resolves once it is known whether it will ever take files. */
  readonly known: Promise<boolean>;
  /**
   * Makes files of parts of `bytes`, whose whole buffer is moved away meanwhile.
   * Their folders stay open until this is settled, and nobody else may enter them.
   *
   * @throws {SftpxError} `internal` when the Worker dies, `cancelled` when it is
   * ended; the bytes are lost then.
   */
  make(
    bytes: Uint8Array<ArrayBuffer>,
    files: readonly FileToMake[],
  ): Promise<Made>;
  /**
   * Gives parts their names, unless something of that name is there.
   *
   * @param from The descriptor of the folder they are in; it and theirs stay
   * open until this is settled.
   * @throws {SftpxError} As `make()` does. Some may have got their names then.
   */
  place(from: number, parts: readonly PartToPlace[]): Promise<Placed>;
  /** Ends the Worker. */
  close(): void;
}

/** A part that gets its name. */
export interface PartToPlace {
  readonly slot: number;
  /** The descriptor of the folder it goes to; -1 leaves it where it is. */
  readonly dir: number;
  readonly name: string;
}

/** What became of files, each by its place in the list. */
export interface Placed {
  /** What stands there now; `undefined` for one that was not made, or has no name yet. */
  stampOf(file: number): PlacedStamp | undefined;
}

/** What a file maker can be told. */
export interface FileMakerOptions {
  /** Starts the Worker. @default {spawnFileWorker} */
  readonly spawn?: () => Worker;
  /** It starts when so many files have come. @default {256} */
  readonly least?: number;
}

/** To start it takes as long as to make so many files. */
const LEAST_FILES = 256;

/** Jobs that the Worker has: one in hand, and the next so that it never waits. */
const AT_ONCE = 2;

/** What waits for a report. */
interface Call {
  hear(report: FileReport): void;
  reject(error: unknown): void;
}

/** What waits for its turn. */
interface Waiting extends Call {
  readonly job: (id: number) => FileJob;
  readonly transfer: Transferable[];
}

/** Creates a file maker that has not started. */
export function createFileMaker(options: FileMakerOptions = {}): FileMaker {
  const { spawn = spawnFileWorker, least = LEAST_FILES } = options;
  const calls = new Map<number, Call>();
  // A checkpoint waits for names, and all senders for checkpoints: names go first.
  const [names, contents]: [Waiting[], Waiting[]] = [[], []];
  const { promise: known, resolve: tell } = Promise.withResolvers<boolean>();
  let state: "new" | "starting" | "ready" | "ended" = "new";
  let worker: Worker | undefined;
  let seen = 0;
  let lastId = 0;

  const end = (error: SftpxError): void => {
    state = "ended";
    tell(false);
    worker?.terminate();
    worker = undefined;
    const waiting = [names, contents].flatMap((list) => list.splice(0));
    for (const { reject } of [...calls.values(), ...waiting]) reject(error);
    calls.clear();
  };
  /** Gives the Worker what it has room for. */
  const feed = (): void => {
    while (worker !== undefined && calls.size < AT_ONCE) {
      const next = names.shift() ?? contents.shift();
      if (next === undefined) return;
      const id = ++lastId;
      calls.set(id, next);
      worker.postMessage(next.job(id), next.transfer);
    }
  };
  const hear = (report: FileReport): void => {
    if (state === "ended") return;
    if (report.type === "ready") {
      if (!report.isAble) return end(closedError());
      state = "ready";
      tell(true);
      return;
    }
    const call = calls.get(report.id);
    calls.delete(report.id);
    feed();
    call?.hear(report);
  };
  /** Not at once, as it takes 20 ms: what was just decided is to be said before. */
  const start = async (): Promise<void> => {
    state = "starting";
    await idleTurn();
    if (state === "starting") startNow();
  };
  const startNow = (): void => {
    try {
      worker = spawn();
    } catch {
      return end(closedError()); // not here: files are made in place
    }
    worker.onmessage = ({ data }: MessageEvent<FileReport>) => hear(data);
    worker.onerror = (event) => {
      event.preventDefault(); // or it would end the process
      const text = `Cannot make files: the worker has died: ${event.message}`;
      end(new SftpxError("internal", text));
    };
  };

  /** @param read What the report says; `undefined` when it is of something else. */
  const ask = <Answer>(
    list: Waiting[],
    job: (id: number) => FileJob,
    transfer: Transferable[],
    read: (report: FileReport) => Answer | undefined,
  ): Promise<Answer> => {
    if (worker === undefined) return Promise.reject(closedError());
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    list.push({
      job,
      transfer,
      reject,
      hear(report) {
        const answer = read(report);
        if (answer !== undefined) resolve(answer);
        else reject(new TypeError(`Cannot use a report of "${report.type}"`));
      },
    });
    feed();
    return promise;
  };

  return {
    known,
    expect(files) {
      if (state === "new" && files >= least) void start();
    },
    isReady(files) {
      seen += files;
      if (state === "new" && seen >= least) void start();
      return state === "ready";
    },
    make(bytes, files) {
      const { buffer, byteOffset: offset, length } = bytes;
      const numbers = new Float64Array(files.length * FILE_NUMBERS);
      const times = new BigInt64Array(files.length);
      const texts: string[] = [];
      let at = 0;
      for (const { dir, name, start, end, mode, mtimeNs } of files) {
        times[texts.length] = mtimeNs;
        texts.push(name);
        numbers[at++] = dir;
        numbers[at++] = offset + start;
        numbers[at++] = offset + end;
        numbers[at++] = mode;
      }
      return ask(
        contents,
        (id) => ({
          ...{ type: "make", id, buffer },
          ...{ files: numbers, names: joinNames(texts), times },
        }),
        [buffer],
        (report) =>
          report.type !== "made" ? undefined : {
            stampOf: stampsOf(report.made, report.stamps),
            bytes: new Uint8Array(report.buffer, offset, length),
          },
      );
    },
    place(from, list) {
      const parts = new Float64Array(list.length * PART_NUMBERS);
      let at = 0;
      for (const { slot, dir } of list) {
        parts[at++] = slot;
        parts[at++] = dir;
      }
      const texts = joinNames(list.map(({ name }) => name));
      return ask(
        names,
        (id) => ({ type: "place", id, from, parts, names: texts }),
        [],
        (report) =>
          report.type !== "placed" ? undefined : {
            stampOf: stampsOf(report.placed, report.stamps),
          },
      );
    },
    close() {
      end(closedError());
    },
  };
}

function stampsOf(
  done: Uint8Array,
  stamps: BigInt64Array,
): Placed["stampOf"] {
  return (file) => {
    if (done[file] !== 1) return undefined;
    const at = file * STAMP_NUMBERS;
    return {
      size: Number(stamps[at]),
      mtimeNs: stamps[at + 1] ?? 0n,
      ctimeNs: stamps[at + 2] ?? 0n,
      ino: BigInt.asUintN(64, stamps[at + 3] ?? 0n),
    };
  };
}

function closedError(): SftpxError {
  return new SftpxError("cancelled", "Cannot make files: the worker is closed");
}
