/**
 * The body of a request: a block, and what follows it, in pieces as they come.
 *
 * @module
 */
import { BLOCK_BYTES } from "../block.ts";

/** What follows the block of a request. */
export interface Body {
  /** The next piece, of one byte or more; `undefined` at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Says that no more is wanted. */
  cancel(): Promise<void>;
}

/** A body that is not there. */
export const NO_BODY: Body = Object.freeze({
  next: () => Promise.resolve(undefined),
  cancel: () => Promise.resolve(),
});

/**
 * Takes the first 16384 bytes of a body, or as many as there are, and gives the
 * rest as it comes.
 */
export async function takeHead(
  body: ReadableStream<Uint8Array> | null,
): Promise<{ readonly head: Uint8Array; readonly body: Body }> {
  if (body === null) return { head: new Uint8Array(0), body: NO_BODY };
  const reader = body.getReader();
  const head = new Uint8Array(BLOCK_BYTES);
  let length = 0;
  let over: Uint8Array | undefined;
  while (length < BLOCK_BYTES) {
    const { value, done } = await reader.read();
    if (done) return { head: head.subarray(0, length), body: NO_BODY };
    const fits = value.subarray(0, BLOCK_BYTES - length);
    head.set(fits, length);
    length += fits.length;
    if (fits.length < value.length) over = value.subarray(fits.length);
  }
  return {
    head,
    body: {
      async next() {
        const first = over;
        over = undefined;
        if (first !== undefined) return first;
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return undefined;
          if (value.length > 0) return value;
        }
      },
      cancel: () => reader.cancel(),
    },
  };
}
