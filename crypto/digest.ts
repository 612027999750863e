/**
 * BLAKE3 by whichever implementation this machine has: native code where it
 * loads, a JavaScript one that writes its own WebAssembly where it does not, and
 * plain WebAssembly as the last resort.
 *
 * | name     | package               | MiB/s, 1 MiB at a time |
 * | -------- | --------------------- | ---------------------- |
 * | `native` | `@napi-rs/blake-hash` | about 4900             |
 * | `jit`    | `blake3-jit`          | about 500 to 800       |
 * | `wasm`   | `hash-wasm`           | about 225              |
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";

/** Bytes of a digest. */
export const DIGEST_LENGTH = 32;

/** Which implementation. */
export type DigestName = "native" | "jit" | "wasm";

/** The order in which they are tried: the fastest first. */
const DIGEST_NAMES: readonly DigestName[] = ["native", "jit", "wasm"];

/** A digest of bytes that come one part after the other. */
export interface Hasher {
  /** Takes the next part, which may change once this returns. */
  update(bytes: Uint8Array): void;
  /** The digest of all that was taken, 32 bytes. To be called once, at the end. */
  digest(): Uint8Array<ArrayBuffer>;
}

/** One implementation of BLAKE3. */
export interface Digest {
  /** Which one this is. */
  readonly name: DigestName;
  /** Fast enough for the thread that drives the network; otherwise use a pool. */
  readonly inline: boolean;
  /** The digest of `bytes`, 32 bytes of their own. */
  digest(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Begins a digest of parts. Any number may be under way at once. */
  hasher(): Hasher;
}

/** Digests, by whichever implementation. */
export type Digester = Pick<Digest, "digest" | "hasher">;

/**
 * Loads an implementation of BLAKE3.
 *
 * @param prefer The only one to try; without it, the fastest that loads.
 * @throws {SftpxError} `internal`, when none loads or what loads counts wrong.
 */
export async function loadDigest(prefer?: DigestName): Promise<Digest> {
  const causes: unknown[] = [];
  for (const name of prefer === undefined ? DIGEST_NAMES : [prefer]) {
    try {
      const digest = await LOADERS[name]();
      if (!isRight(digest)) throw new Error(`${name} counts wrong`);
      return digest;
    } catch (cause) {
      causes.push(cause);
    }
  }
  throw new SftpxError(
    "internal",
    `Cannot load BLAKE3: ${prefer ?? "no implementation"} does not work here`,
    new AggregateError(causes),
  );
}

/**
 * The content digest of a file from those of its chunks: of none it is that of
 * no bytes, of one it is that one, of more it is the digest over all of them.
 *
 * @param chunkDigests The digests of the chunks in order, 32 bytes each. That
 * of the only one is returned as it is.
 */
export function contentDigest(
  digest: Pick<Digest, "digest">,
  chunkDigests: Uint8Array,
): Uint8Array {
  if (chunkDigests.length % DIGEST_LENGTH !== 0) {
    throw new RangeError(
      `Cannot combine digests as their length must be a multiple of ${DIGEST_LENGTH}: current value is ${chunkDigests.length}`,
    );
  }
  return chunkDigests.length === DIGEST_LENGTH
    ? chunkDigests
    : digest.digest(chunkDigests);
}

// The specifiers are literals, so that a bundler and a compiler see them.
const LOADERS: Readonly<Record<DigestName, () => Promise<Digest>>> = {
  native: loadNative,
  jit: loadJit,
  wasm: loadWasm,
};

async function loadNative(): Promise<Digest> {
  const { blake3UrlSafeBase64, Blake3Hasher } = await import(
    "@napi-rs/blake-hash"
  );
  return {
    name: "native",
    inline: true,
    // As text it is made and read in less time than a buffer that native code
    // lends, which has to be copied, and given back later.
    digest: (bytes) =>
      Uint8Array.fromBase64(blake3UrlSafeBase64(asBuffer(bytes)), AS_TEXT),
    hasher() {
      const hasher = new Blake3Hasher();
      return {
        update: (bytes) => void hasher.update(asBuffer(bytes)),
        digest: () => own(hasher.digestBuffer()),
      };
    },
  };
}

const AS_TEXT = { alphabet: "base64url" } as const;

async function loadJit(): Promise<Digest> {
  const { hash, Hasher, warmupSimd } = await import("blake3-jit");
  warmupSimd();
  return {
    name: "jit",
    inline: false,
    digest: (bytes) => own(hash(bytes)),
    hasher() {
      const hasher = new Hasher();
      return {
        update: (bytes) => void hasher.update(bytes),
        digest: () => own(hasher.finalize()),
      };
    },
  };
}

async function loadWasm(): Promise<Digest> {
  const { createBLAKE3 } = await import("hash-wasm");
  const machine = await createBLAKE3();
  return {
    name: "wasm",
    inline: false,
    digest: (bytes) => own(machine.init().update(bytes).digest("binary")),
    // There is one machine, so each hasher keeps its state outside of it.
    hasher() {
      let state = machine.init().save();
      return {
        update(bytes) {
          state = machine.load(state).update(bytes).save();
        },
        digest: () => own(machine.load(state).digest("binary")),
      };
    },
  };
}

/** What native code asks for by name; any view will do, and none is copied. */
function asBuffer(bytes: Uint8Array): Parameters<
  typeof import("@napi-rs/blake-hash").blake3UrlSafeBase64
>[0] {
  return bytes as ReturnType<typeof import("@napi-rs/blake-hash").blake3>;
}

/** A plain array in memory of our own: native code lends us its. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** The digest of no bytes, from the paper. */
const OF_NOTHING =
  "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

function isRight(digest: Digest): boolean {
  return digest.digest(new Uint8Array(0)).toHex() === OF_NOTHING;
}
