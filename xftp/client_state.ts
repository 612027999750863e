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
import type { FileSecret } from "./file_crypto.ts";
import { readPrivateKey } from "./keys.ts";
import { KEY_LENGTH, NONCE_LENGTH } from "./secretbox.ts";

/** A chunk that has a place on a router. */
export interface PlacedChunk {
  /** The router's address, without its password. */
  readonly router: string;
  /** SHA-256. */
  readonly digest: Uint8Array;
  readonly sender: Entity;
  readonly recipients: readonly Entity[];
}

/** What is known of an upload. */
export interface UploadState {
  readonly secret: FileSecret;
  /** True when an earlier run has begun it. */
  readonly isResumed: boolean;
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

/** Which upload it is. */
export interface UploadId {
  /** The same for the same command; hex. */
  readonly id: string;
  /** Another one when the source changed. */
  readonly stamp: string;
  /** The chunks' sizes. */
  readonly sizes: readonly number[];
  /** What a description is made for. */
  readonly recipients: number;
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

/**
 * Routers keep chunks for two days unless told otherwise: what is older than
 * this may be gone before the last chunk is there.
 */
export const STATE_LASTS_MS = 24 * 3_600_000;

/** 1280 chunks of 255 recipients take 60 MiB. */
const LARGEST_STATE = 128 * 1024 * 1024;

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
    const before = fresh ? undefined : await readState(place);
    const known = before && matching(before, upload, wallMs);
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

interface KnownState {
  readonly begunMs: number;
  readonly stamp: string;
  readonly sizes: readonly number[];
  readonly recipients: number;
  readonly secret: FileSecret;
  readonly places: Map<number, PlacedChunk>;
  readonly done: Set<number>;
  /** Where the last whole line ends. */
  readonly end: number;
}

function matching(
  known: KnownState,
  { stamp, sizes, recipients }: UploadId,
  wallMs: number,
): KnownState | undefined {
  const isSame = known.stamp === stamp && known.recipients === recipients &&
    known.sizes.join() === sizes.join();
  const ageMs = wallMs - known.begunMs;
  return isSame && ageMs >= 0 && ageMs < STATE_LASTS_MS ? known : undefined;
}

/** Reads a state; `undefined` when there is none that can be used. */
async function readState(place: string): Promise<KnownState | undefined> {
  await checkMode(place);
  const file = await diskFs.open(place);
  if (file === undefined) return undefined;
  try {
    const size = await file.size();
    if (size > LARGEST_STATE) return undefined;
    const bytes = new Uint8Array(size);
    await file.read(bytes, 0);
    return parseState(bytes);
  } finally {
    await file.close();
  }
}

async function checkMode(place: string): Promise<void> {
  let mode: number | null;
  try {
    ({ mode } = await Deno.lstat(place));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (Deno.build.os !== "windows" && ((mode ?? 0) & 0o077) !== 0) {
    throw new SftpxError(
      "config",
      `Cannot use the state of an upload ${
        quoted(place)
      }: its mode is looser than 0600; others may know its keys`,
    );
  }
}

/** What cannot be read begins anew: nothing is lost but time. */
function parseState(bytes: Uint8Array): KnownState | undefined {
  const end = bytes.lastIndexOf(0x0a) + 1;
  const [first = "", ...lines] = new TextDecoder().decode(
    bytes.subarray(0, end),
  ).split("\n");
  try {
    const head = JSON.parse(first);
    const secret = { key: bytesOf(head.key), nonce: bytesOf(head.nonce) };
    if (
      head.version !== 1 || secret.key.length !== KEY_LENGTH ||
      secret.nonce.length !== NONCE_LENGTH || !Array.isArray(head.sizes)
    ) return undefined;
    const places = new Map<number, PlacedChunk>();
    const done = new Set<number>();
    for (const text of lines) {
      if (text === "") continue;
      const line = JSON.parse(text);
      if (Number.isSafeInteger(line.stored)) {
        done.add(line.stored);
      } else {
        done.delete(line.chunk);
        places.set(Number(line.chunk), {
          router: String(line.router),
          digest: bytesOf(line.digest),
          sender: entityOf(line.sender),
          recipients: line.recipients.map(entityOf),
        });
      }
    }
    const { begunMs, stamp, sizes, recipients } = head;
    return { begunMs, stamp, sizes, recipients, secret, places, done, end };
  } catch {
    return undefined;
  }
}

function textOf({ id, key }: Entity): readonly [string, string] {
  return [base64(id), base64(key.der)];
}

function entityOf([id, key]: readonly [unknown, unknown]): Entity {
  return { id: bytesOf(id), key: readPrivateKey(bytesOf(key)) };
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url" });
}

function bytesOf(text: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(String(text), { alphabet: "base64url" });
}
