/**
 * From a name to an open journal: the lock, the header, the records, and what
 * to do about a file that is not what it should be.
 *
 * @module
 */
import { dirname } from "node:path";
import { SftpxError } from "../core/errors.ts";
import { CHECK_BYTES, type Digest } from "./journal_codec.ts";
import { writeCompacted } from "./journal_compact.ts";
import type { JournalFile, JournalFs, JournalLock } from "./journal_fs.ts";
import { encodeHeader, HEADER_BYTES, headerFault } from "./journal_header.ts";
import { type DoneIndex, doneIndex } from "./journal_index.ts";
import { type LogEnd, readLog } from "./journal_log.ts";
import { journalParts, type Parts } from "./journal_parts.ts";
import { quoted } from "./paths.ts";

/** What opening takes. */
export interface OpenFileOptions {
  readonly file: string;
  readonly session: Uint8Array;
  readonly root: string;
  readonly digest: Digest;
  readonly secret?: Uint8Array;
  readonly fresh?: boolean;
  readonly fs: JournalFs;
}

/** A journal's file and what was in it. */
export interface Loaded extends LogEnd {
  readonly state: "fresh" | "resumed" | "repaired" | "replaced";
  readonly note: string | undefined;
  readonly dir: string;
  readonly header: Uint8Array;
  readonly lock: JournalLock;
  readonly file: JournalFile;
  readonly parts: Parts;
  readonly index: DoneIndex;
  /** Bytes of all done records, superseded ones too. */
  readonly doneBytes: number;
  readonly doneLogged: number;
}

/** The name under which a journal is written before it has its own. */
export function temporaryName(file: string): string {
  return `${file}.tmp`;
}

/** Opens a journal that no other process has open. */
export async function openFile(options: OpenFileOptions): Promise<Loaded> {
  const { file, fs } = options;
  await fs.makeDir(dirname(file));
  const lock = await fs.lock(`${file}.lock`);
  if (lock === undefined) {
    throw new SftpxError(
      "peer-busy",
      `Cannot open journal ${quoted(file)}: another process has it open`,
    );
  }
  try {
    return { ...await openLocked(options), lock };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(
  options: OpenFileOptions,
): Promise<Omit<Loaded, "lock">> {
  const { file: name, session, root, digest, fs } = options;
  const header = encodeHeader(session, root, digest);
  const dir = dirname(name);
  await fs.remove(temporaryName(name));
  const file = options.fresh === true ? undefined : await fs.open(name);
  let fault: string | undefined;
  if (file !== undefined) {
    try {
      const found = new Uint8Array(HEADER_BYTES);
      const length = await file.read(found, 0);
      fault = headerFault(found.subarray(0, length), header, digest);
      if (fault === undefined) {
        return { ...await load(file, options), dir, header };
      }
    } catch (error) {
      await Promise.allSettled([file.close()]);
      throw error;
    }
    await file.close();
    await fs.rename(name, `${name}.bad`);
  }
  const temporary = temporaryName(name);
  const empty = await writeCompacted(fs, temporary, header, undefined, digest);
  await fs.rename(temporary, name);
  await fs.syncDir(dir);
  return {
    ...empty,
    state: fault === undefined ? "fresh" : "replaced",
    note: fault === undefined ? undefined : `set aside, as ${fault}`,
    dir,
    header,
    parts: journalParts(),
    index: doneIndex(options.secret),
    doneLogged: 0,
  };
}

async function load(
  file: JournalFile,
  { digest, secret }: Pick<OpenFileOptions, "digest" | "secret">,
): Promise<Omit<Loaded, "lock" | "dir" | "header">> {
  const parts = journalParts();
  const index = doneIndex(secret);
  let doneBytes = 0;
  let doneLogged = 0;
  const size = await file.size();
  const { end, check } = await readLog(file, size, digest, (batch) => {
    for (const { record, offset, bytes } of batch) {
      parts.apply(record);
      if (record.type !== "done") continue;
      index.set(index.keyOf(record.path), offset);
      doneBytes += bytes.length + CHECK_BYTES;
      doneLogged++;
    }
  });
  let note: string | undefined;
  if (end < size) {
    // Nothing may ever be appended after bytes that do not count.
    await file.truncate(end);
    await file.sync();
    note = `cut off ${size - end} damaged bytes at byte ${end}`;
  }
  const state = note === undefined ? "resumed" : "repaired";
  return { state, note, file, end, check, parts, index, doneBytes, doneLogged };
}
