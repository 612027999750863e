/**
 * A file as it is stored: encrypted as one, and filled up to its chunks.
 *
 * | bytes               | what                                          |
 * | ------------------- | --------------------------------------------- |
 * | 8                   | L, length of header and content               |
 * | header              | short string name, maybe a short string extra |
 * | content             | as it is                                      |
 * | fill                | `#` up to the sum of the chunks less 16       |
 * | 16                  | tag, over the encrypted bytes before it       |
 *
 * All but the tag is encrypted, by `secretbox.ts`. Nothing that is decrypted is
 * proven before the end: who uses it waits for `finish()`.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import {
  type Bytes,
  createReader,
  int64,
  MAX_SHORT,
  maybe,
  shortString,
} from "./encoding.ts";
import { isTag, secretbox, TAG_LENGTH } from "./secretbox.ts";

/** What a file is encrypted with; to be used for one content only. */
export interface FileSecret {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 24 bytes. */
  readonly nonce: Uint8Array;
}

/** What stands before the content. */
export interface FileHeader {
  /** The name that the sender gave it; empty for the target of a redirect. */
  readonly name: string;
  /** What else the sender said; we say nothing and ignore it. */
  readonly extra?: string;
}

/** Where content comes from. */
export interface ContentSource {
  /** Bytes that it has. */
  readonly size: number;
  /**
   * Fills `into` with what comes next.
   *
   * @throws {SftpxError} when there is less.
   */
  fill(into: Uint8Array<ArrayBuffer>): Promise<void>;
}

const LENGTH_BYTES = 8;
const FILL = 0x23; // "#"

/**
 * Writes what stands before the content.
 *
 * @throws {SftpxError} `usage`, when the name is too long.
 */
export function encodeFileHeader({ name, extra }: FileHeader): Bytes {
  if (new TextEncoder().encode(name).length > MAX_SHORT) {
    throw new SftpxError(
      "usage",
      "Cannot store a file on routers: its name is longer than 255 bytes",
    );
  }
  return concatBytes(
    shortString(name),
    maybe(extra === undefined ? undefined : shortString(extra)),
  );
}

/** Bytes that a header and content take, with all that stands around them. */
export function payloadBytes(header: Uint8Array, contentBytes: number): number {
  return LENGTH_BYTES + header.length + contentBytes + TAG_LENGTH;
}

/**
 * Encrypts a file, a chunk at a time, each in memory of its own.
 *
 * @param sizes The chunks' sizes, with room for everything.
 */
export async function* encryptChunks(
  secret: FileSecret,
  header: Uint8Array,
  content: ContentSource,
  sizes: readonly number[],
): AsyncGenerator<Bytes, void, void> {
  const box = secretbox(secret.key, secret.nonce);
  const head = concatBytes(
    int64(BigInt(header.length + content.size)),
    header,
  );
  const end = sizes.reduce((sum, size) => sum + size, 0) - TAG_LENGTH;
  const contentEnd = head.length + content.size;
  if (contentEnd > end || head.length > (sizes[0] ?? 0) - TAG_LENGTH) {
    throw new RangeError("Cannot encrypt a file: it does not fit its chunks");
  }
  let position = 0;
  for (const size of sizes) {
    const chunk = new Uint8Array(size);
    const stop = Math.min(size, end - position);
    const contentFrom = position === 0 ? head.length : 0;
    if (position === 0) chunk.set(head);
    const contentTo = Math.max(
      contentFrom,
      Math.min(stop, contentEnd - position),
    );
    if (contentTo > contentFrom) {
      await content.fill(chunk.subarray(contentFrom, contentTo));
    }
    const clear = chunk.subarray(0, Math.max(0, stop));
    clear.fill(FILL, contentTo);
    box.encrypt(clear, clear);
    position += size;
    if (position === end + TAG_LENGTH) {
      placeTag(box.finish(), chunk, size);
    }
    yield chunk;
  }
}

/** A file on its way out of its encryption. */
export interface FileOpener {
  /** What stands before the content, once it was there; not proven. */
  readonly header: FileHeader | undefined;
  /** Bytes of content that there will be, once that is known; not proven. */
  readonly contentBytes: number | undefined;
  /**
   * Decrypts what comes next, in place.
   *
   * @param bytes At least 1024 at the first time, or all that there is.
   * @returns The content in it.
   */
  update(bytes: Bytes): Bytes;
  /**
   * Proves all that came.
   *
   * @throws {SftpxError} `integrity`.
   */
  finish(): void;
}

/**
 * Starts to decrypt a file.
 *
 * @param size Bytes of it, the sum of its chunks.
 */
export function openFileContent(secret: FileSecret, size: number): FileOpener {
  const box = secretbox(secret.key, secret.nonce);
  const end = size - TAG_LENGTH;
  const tag = new Uint8Array(TAG_LENGTH);
  let position = 0;
  let contentFrom = 0;
  let contentTo = 0;
  let header: FileHeader | undefined;
  return {
    get header() {
      return header;
    },
    get contentBytes() {
      return header && contentTo - contentFrom;
    },
    update(bytes) {
      const from = position;
      position += bytes.length;
      if (position > size) throw damaged("it is longer than it was said to be");
      const clear = bytes.subarray(0, Math.max(0, end - from));
      const rest = bytes.subarray(clear.length);
      if (rest.length > 0) tag.set(rest, from + clear.length - end);
      box.decrypt(clear, clear);
      if (header === undefined) {
        const read = readHead(clear, end);
        header = read.header;
        contentFrom = read.from;
        contentTo = read.to;
      }
      const start = Math.min(clear.length, Math.max(0, contentFrom - from));
      const stop = Math.min(clear.length, Math.max(0, contentTo - from));
      return clear.subarray(start, Math.max(start, stop));
    },
    finish() {
      if (position !== size || header === undefined) {
        throw damaged("it is shorter than it was said to be");
      }
      if (!isTag(box.finish(), tag)) throw damaged("its tag is wrong");
    },
  };
}

/** A tag is in the last chunk: no chunk is as small as it. */
function placeTag(tag: Uint8Array, chunk: Uint8Array, size: number): void {
  chunk.set(tag, size - TAG_LENGTH);
}

function readHead(
  clear: Uint8Array,
  end: number,
): { header: FileHeader; from: number; to: number } {
  const reader = createReader(clear.subarray(0, LONGEST_HEAD), "stored file");
  try {
    const length = reader.int64();
    const name = reader.shortText();
    const extra = reader.maybe(() => reader.shortText());
    const from = Math.min(clear.length, LONGEST_HEAD) - reader.left;
    const to = LENGTH_BYTES + Number(length);
    if (length < 0n || to < from || to > end) {
      throw damaged("the length in it cannot be");
    }
    const header = { name, ...extra !== undefined && { extra } };
    return { header, from, to };
  } catch (error) {
    if (error instanceof SftpxError && error.code === "integrity") throw error;
    throw damaged("what stands before its content cannot be read", error);
  }
}

/** The header is to be within this. */
const LONGEST_HEAD = 1024;

function damaged(reason: string, cause?: unknown): SftpxError {
  return new SftpxError(
    "integrity",
    `Cannot open the stored file: ${reason}`,
    cause,
  );
}
