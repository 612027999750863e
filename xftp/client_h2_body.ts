/**
 * The body of a request, cut into frames.
 *
 * @module
 */
import {
  FLAG,
  FRAME,
  FRAME_HEAD,
  MAX_FRAME,
  writeFrameHead,
} from "./client_h2_frames.ts";

/** A body of which some has been sent. */
export interface BodyFrames {
  /** Bytes that have not been put into frames. */
  readonly left: number;
  /**
   * Puts frames into `batch`: as many as fit, and as the window allows.
   *
   * @param allowed Bytes of the body at most.
   * @returns Bytes of the batch that are filled, and bytes of the body in them.
   */
  fill(
    batch: Uint8Array,
    stream: number,
    allowed: number,
  ): { readonly filled: number; readonly sent: number };
}

/** Starts at the beginning of a body in parts. */
export function bodyFrames(parts: readonly Uint8Array[]): BodyFrames {
  let left = parts.reduce((sum, part) => sum + part.length, 0);
  let part = 0;
  let from = 0;

  /** Copies the next bytes of the parts. */
  const copy = (to: Uint8Array): void => {
    for (let at = 0; at < to.length;) {
      const source = parts[part] ?? new Uint8Array();
      const piece = source.subarray(from, from + to.length - at);
      to.set(piece, at);
      at += piece.length;
      from += piece.length;
      if (from === source.length) {
        part++;
        from = 0;
      }
    }
  };

  return {
    get left() {
      return left;
    },
    fill(batch, stream, allowed) {
      let filled = 0;
      let sent = 0;
      while (left > 0 && filled + FRAME_HEAD + MAX_FRAME <= batch.length) {
        const length = Math.min(MAX_FRAME, left, allowed - sent);
        if (length <= 0) break;
        const start = filled + FRAME_HEAD;
        copy(batch.subarray(start, start + length));
        sent += length;
        left -= length;
        writeFrameHead(batch, filled, {
          length,
          type: FRAME.data,
          flags: left === 0 ? FLAG.endStream : 0,
          stream,
        });
        filled = start + length;
      }
      return { filled, sent };
    },
  };
}
