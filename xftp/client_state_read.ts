/**
 * Reads what an interrupted upload has left.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { diskFs } from "../store/journal_fs.ts";
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

/**
 * Routers keep chunks for two days unless told otherwise: what is older than
 * this may be gone before the last chunk is there.
 */
export const STATE_LASTS_MS = 24 * 3_600_000;

/** 1280 chunks of 255 recipients take 60 MiB. */
const LARGEST_STATE = 128 * 1024 * 1024;

/** What an earlier run has left. */
export interface KnownState {
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

/** The state if it is of this upload, and not too old. */
export function matching(
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
export async function readState(
  place: string,
): Promise<KnownState | undefined> {
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

function entityOf([id, key]: readonly [unknown, unknown]): Entity {
  return { id: bytesOf(id), key: readPrivateKey(bytesOf(key)) };
}

function bytesOf(text: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(String(text), { alphabet: "base64url" });
}
