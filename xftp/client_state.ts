/**
 * What is known of an upload, so that it can go on after an interruption:
 * `<resume folder>/<id>.xftp`, a line of JSON for each thing that happened.
 *
 * It holds the file's key and those that rule over its chunks, so it has mode
 * 0600 and is removed when the upload is done. A line is on disk before what it
 * says is acted upon: above all, a chunk's digest is before its bytes leave, as
 * no two contents may ever be encrypted with one key.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { RandomBytes } from "../crypto/random.ts";
import {
  diskFs,
  type JournalFile,
  type JournalLock,
} from "../store/journal_fs.ts";
import { absolute, fileIn } from "../store/own_path.ts";
import { ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";
import type { Entity } from "./client_router.ts";
import {
  matching,
  type PlacedChunk,
  readState,
  type UploadId,
} from "./client_state_read.ts";
import type { FileSecret } from "./file_crypto.ts";
import { KEY_LENGTH, NONCE_LENGTH } from "./secretbox.ts";

/** What is known of an upload. */
export interface UploadState {
  readonly secret: FileSecret;
  /** True when an earlier run has begun it. */
  readonly isResumed: boolean;
  /** What an earlier run has placed and this one cannot use. */
  readonly abandoned: readonly PlacedChunk[];
  /** Where a chunk has its place; counted from 0. */
  placed(chunk: number): PlacedChunk | undefined;
  /** Whether the router has said that it has the bytes. */
  isStored(chunk: number): boolean;
  /** Remembers a place, before anything is sent there. */
  place(chunk: number, placed: PlacedChunk): Promise<void>;
  /** Remembers that a chunk is stored. */
  stored(chunk: number): Promise<void>;
  /** Closes it, to go on later. */
  close(): Promise<void>;
  /** Closes and removes it. */
  remove(): Promise<void>;
}

/** What opening needs. */
export interface OpenStateDeps {
  readonly resumeDir: string;
  readonly random: RandomBytes;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  /** Forgets what an earlier run has left. */
  readonly fresh: boolean;
}

/** Opens the state of an upload, or begins one. */
export async function openUploadState(
  upload: UploadId,
  { resumeDir, random, wallMs, fresh }: OpenStateDeps,
): Promise<UploadState> {
  const dir = absolute(resumeDir);
  const place = fileIn(dir, `${upload.id}.xftp`);
  const what = `keep the state of the upload ${quoted(place)}`;
  let lock: JournalLock | undefined;
  let file: JournalFile | undefined;
  try {
    await diskFs.makeDir(dir);
    lock = await diskFs.lock(fileIn(dir, `${upload.id}.xftp.lock`));
    if (lock === undefined) {
      throw new SftpxError(
        "duplicate",
        "Cannot store this: another sftpx is storing the same at this time",
      );
    }
    const before = await readState(place);
    const known = before && !fresh
      ? matching(before, upload, wallMs)
      : undefined;
    const secret = known?.secret ??
      { key: random(KEY_LENGTH), nonce: random(NONCE_LENGTH) };
    if (known === undefined) {
      await diskFs.remove(place); // one that is there keeps its mode
      file = await diskFs.create(place);
    } else {
      file = await diskFs.open(place);
    }
    if (file === undefined) throw new Error("it is gone");
    let end = known?.end ?? 0;
    const held = { lock, file };
    const append = async (line: object): Promise<void> => {
      const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
      const at = end;
      end += bytes.length;
      try {
        await held.file.write(bytes, at);
        await held.file.sync();
      } catch (error) {
        throw ioError(what, error);
      }
    };
    if (known === undefined) {
      await append({
        version: 1,
        begunMs: wallMs,
        stamp: upload.stamp,
        sizes: upload.sizes,
        recipients: upload.recipients,
        key: base64(secret.key),
        nonce: base64(secret.nonce),
      });
      await diskFs.syncDir(dir);
    } else {
      await file.truncate(end); // a line that was cut off
    }
    const places = known?.places ?? new Map<number, PlacedChunk>();
    const done = known?.done ?? new Set<number>();
    return {
      secret,
      isResumed: places.size > 0,
      abandoned: known === undefined && before !== undefined
        ? [...before.places.values()]
        : [],
      placed: (chunk) => places.get(chunk),
      isStored: (chunk) => done.has(chunk),
      async place(chunk, placed) {
        done.delete(chunk);
        places.set(chunk, placed);
        await append({
          chunk,
          router: placed.router,
          digest: base64(placed.digest),
          sender: textOf(placed.sender),
          recipients: placed.recipients.map(textOf),
        });
      },
      async stored(chunk) {
        done.add(chunk);
        await append({ stored: chunk });
      },
      async close() {
        await held.file.close();
        await held.lock.release();
      },
      async remove() {
        await held.file.close();
        await diskFs.remove(place);
        await held.lock.release();
      },
    };
  } catch (error) {
    await file?.close();
    await lock?.release();
    throw ioError(what, error);
  }
}

/** A state that is in memory only, for what is too small to go on with. */
export function memoryUploadState(random: RandomBytes): UploadState {
  const places = new Map<number, PlacedChunk>();
  const done = new Set<number>();
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    secret: { key: random(KEY_LENGTH), nonce: random(NONCE_LENGTH) },
    isResumed: false,
    abandoned: [],
    placed: (chunk) => places.get(chunk),
    isStored: (chunk) => done.has(chunk),
    place(chunk, placed) {
      places.set(chunk, placed);
      return nothing();
    },
    stored(chunk) {
      done.add(chunk);
      return nothing();
    },
    close: nothing,
    remove: nothing,
  };
}

function textOf({ id, key }: Entity): readonly [string, string] {
  return [base64(id), base64(key.der)];
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url" });
}
