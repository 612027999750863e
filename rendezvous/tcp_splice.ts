/**
 * Joins two TCP connections: what one says the other hears, and its end too.
 *
 * Nothing is kept but what is on its way; a slow reader slows the writer.
 *
 * @module
 */
import type { RateLimiter } from "../core/rate.ts";

/** A TCP connection, as far as joining goes. */
export interface TcpLine {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** How two connections are joined. */
export interface SpliceOptions {
  /** What holds bytes back. */
  readonly limiter?: RateLimiter;
  /** Told of bytes that pass; false ends it. */
  readonly onBytes?: (bytes: number) => boolean;
  /** What `a` has said before, not to be lost. */
  readonly first?: Uint8Array;
  readonly signal?: AbortSignal;
}

const BUFFER_BYTES = 32 * 1024;

/** Joins `a` and `b` until both have ended, one broke, or `signal` aborts; closes both. Never rejects. */
export async function splice(
  a: TcpLine,
  b: TcpLine,
  options: SpliceOptions = {},
): Promise<void> {
  const { limiter, onBytes = () => true, first, signal } = options;
  const over = new AbortController();
  const either = signal === undefined
    ? over.signal
    : AbortSignal.any([signal, over.signal]);
  const close = (): void => {
    for (const line of [a, b]) {
      try {
        line.close();
      } catch {
        // closed already
      }
    }
  };
  const pass = async (bytes: Uint8Array, to: TcpLine): Promise<void> => {
    await limiter?.take(bytes.length, either);
    if (!onBytes(bytes.length)) throw new Error("enough has passed");
    await writeAll(to, bytes);
  };
  const pump = async (
    from: TcpLine,
    to: TcpLine,
    said: Uint8Array | undefined,
  ): Promise<void> => {
    try {
      if (said !== undefined && said.length > 0) await pass(said, to);
      const buffer = new Uint8Array(BUFFER_BYTES);
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        await pass(buffer.subarray(0, count), to);
      }
      await to.closeWrite();
    } catch {
      close(); // a broken line ends both ways
    }
  };
  either.addEventListener("abort", close, { once: true });
  if (either.aborted) close();
  await Promise.all([pump(a, b, first), pump(b, a, undefined)]);
  over.abort(); // closes both
}

/** Writes all of `bytes`. */
export async function writeAll(
  to: Pick<TcpLine, "write">,
  bytes: Uint8Array,
): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(await to.write(rest));
  }
}

/** Reads exactly `length` bytes; `undefined` when the line ended before. */
export async function readExactly(
  from: Pick<TcpLine, "read">,
  length: number,
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await from.read(bytes.subarray(at));
    if (count === null) return undefined;
    at += count;
  }
  return bytes;
}
