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
  /** Sets the digest of `chunk`, replacing an earlier one. */
  set(chunk: number, digest: Uint8Array): void;
  /** Forgets the digest of `chunk`. */
  clear(chunk: number): void;
  /** All digests in order, once every chunk has one. */
  concat(): Uint8Array<ArrayBuffer>;
}

/** Creates a table for `chunks` chunks that holds nothing. */
export function chunkDigests(chunks: number): ChunkDigests {
  const pages = new Map<number, { bytes: Uint8Array; has: Uint8Array }>();
  let known = 0;
  const check = (chunk: number): void => {
    if (!Number.isSafeInteger(chunk) || chunk < 0 || chunk >= chunks) {
      throw new RangeError(
        `Cannot use chunk ${chunk} of a file of ${chunks} chunks`,
      );
    }
  };
  return {
    get known() {
      return known;
    },
    get(chunk) {
      const page = pages.get(Math.floor(chunk / PAGE));
      const at = chunk % PAGE;
      if (page === undefined || page.has[at] !== 1) return undefined;
      return page.bytes.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES);
    },
    set(chunk, digest) {
      check(chunk);
      if (digest.length !== DIGEST_BYTES) {
        throw new RangeError(
          `Cannot set a digest of ${digest.length} bytes: it must be 32`,
        );
      }
      const number = Math.floor(chunk / PAGE);
      let page = pages.get(number);
      if (page === undefined) {
        const size = Math.min(PAGE, chunks - number * PAGE);
        page = {
          bytes: new Uint8Array(size * DIGEST_BYTES),
          has: new Uint8Array(size),
        };
        pages.set(number, page);
      }
      const at = chunk % PAGE;
      if (page.has[at] !== 1) known++;
      page.has[at] = 1;
      page.bytes.set(digest, at * DIGEST_BYTES);
    },
    clear(chunk) {
      const page = pages.get(Math.floor(chunk / PAGE));
      if (page === undefined || page.has[chunk % PAGE] !== 1) return;
      page.has[chunk % PAGE] = 0;
      known--;
    },
    concat() {
      if (known !== chunks) {
        throw new RangeError(
          `Cannot join the digests of ${known} of ${chunks} chunks`,
        );
      }
      const all = new Uint8Array(chunks * DIGEST_BYTES);
      for (const [number, { bytes }] of pages) {
        all.set(bytes, number * PAGE * DIGEST_BYTES);
      }
      return all;
    },
  };
}

/** True for 32 zero bytes, which stand for "not held" on the wire. */
export function isZeroDigest(digest: Uint8Array): boolean {
  return digest.every((byte) => byte === 0);
}

/** True when `a` and `b` are the same bytes. Not for secrets: it stops at the first difference. */
export function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
