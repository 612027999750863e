/**
 * The BLAKE3 digests of a file's chunks, 32 bytes each, in pages that are made
 * when the first digest in them is set: a size that a peer declares allocates
 * nothing by itself.
 *
 * @module
 */

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

/** Digests of one page: 32 KiB. */
const PAGE = 1024;

/** Digests by chunk number. */
export interface ChunkDigests {
  /** How many chunks have one. */
  readonly known: number;
  /** The digest of `chunk`, or `undefined`. A view: do not change it. */
  get(chunk: number): Uint8Array | undefined;
  /** Sets the digest of `chunk`, replacing an earlier one. It may be kept: do not change it. */
  set(chunk: number, digest: Uint8Array): void;
  /** Forgets the digest of `chunk`. */
  clear(chunk: number): void;
  /** All digests in order, once every chunk has one. It may be kept: do not change it. */
  concat(): Uint8Array;
}

/** Creates a table for `chunks` chunks that holds nothing. */
export function chunkDigests(chunks: number): ChunkDigests {
  return chunks === 1 ? new One() : new Pages(chunks);
}

/** The table of a file of one chunk, as most are: it keeps what it is given. */
class One implements ChunkDigests {
  #digest: Uint8Array | undefined;

  get known(): number {
    return this.#digest === undefined ? 0 : 1;
  }

  get(chunk: number): Uint8Array | undefined {
    return chunk === 0 ? this.#digest : undefined;
  }

  set(chunk: number, digest: Uint8Array): void {
    check(chunk, 1, digest);
    this.#digest = digest;
  }

  clear(chunk: number): void {
    if (chunk === 0) this.#digest = undefined;
  }

  concat(): Uint8Array {
    return this.#digest ?? unknown(0, 1);
  }
}

interface DigestPage {
  readonly bytes: Uint8Array;
  readonly has: Uint8Array;
}

/** A class, as every open file has a table or two: closures would take 1 KB. */
class Pages implements ChunkDigests {
  readonly #chunks: number;
  /** Made when it is needed: most tables are of one chunk, or stay empty. */
  #pages: Map<number, DigestPage> | undefined;
  #known = 0;

  constructor(chunks: number) {
    this.#chunks = chunks;
  }

  get known(): number {
    return this.#known;
  }

  get(chunk: number): Uint8Array | undefined {
    const page = this.#pages?.get(Math.floor(chunk / PAGE));
    const at = chunk % PAGE;
    if (page === undefined || page.has[at] !== 1) return undefined;
    return page.bytes.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES);
  }

  set(chunk: number, digest: Uint8Array): void {
    check(chunk, this.#chunks, digest);
    const number = Math.floor(chunk / PAGE);
    const pages = this.#pages ??= new Map<number, DigestPage>();
    let page = pages.get(number);
    if (page === undefined) {
      const size = Math.min(PAGE, this.#chunks - number * PAGE);
      page = {
        bytes: new Uint8Array(size * DIGEST_BYTES),
        has: new Uint8Array(size),
      };
      pages.set(number, page);
    }
    const at = chunk % PAGE;
    if (page.has[at] !== 1) this.#known++;
    page.has[at] = 1;
    page.bytes.set(digest, at * DIGEST_BYTES);
  }

  clear(chunk: number): void {
    const page = this.#pages?.get(Math.floor(chunk / PAGE));
    if (page === undefined || page.has[chunk % PAGE] !== 1) return;
    page.has[chunk % PAGE] = 0;
    this.#known--;
  }

  concat(): Uint8Array {
    if (this.#known !== this.#chunks) unknown(this.#known, this.#chunks);
    const all = new Uint8Array(this.#chunks * DIGEST_BYTES);
    for (const [number, { bytes }] of this.#pages ?? []) {
      all.set(bytes, number * PAGE * DIGEST_BYTES);
    }
    return all;
  }
}

function check(chunk: number, chunks: number, digest: Uint8Array): void {
  if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk >= chunks) {
    throw new RangeError(
      `Cannot use chunk ${chunk} of a file of ${chunks} chunks`,
    );
  }
  if (digest.length !== DIGEST_BYTES) {
    throw new RangeError(
      `Cannot set a digest of ${digest.length} bytes: it must be 32`,
    );
  }
}

function unknown(known: number, chunks: number): never {
  throw new RangeError(
    `Cannot join the digests of ${known} of ${chunks} chunks`,
  );
}

/** True for 32 zero bytes, which stand for "not held" on the wire. */
export function isZeroDigest(digest: Uint8Array): boolean {
  return digest.every((byte) => byte === 0);
}

/** True when the digests at these places are the same bytes. Not for secrets either. */
export function sameDigestAt(
  a: Uint8Array,
  atA: number,
  b: Uint8Array,
  atB: number,
): boolean {
  for (let i = 0; i < DIGEST_BYTES; i++) {
    if (a[atA + i] !== b[atB + i]) return false;
  }
  return true;
}

/** True when `a` and `b` are the same bytes. Not for secrets: it stops at the first difference. */
export function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
