/**
 * Status frames that travel together: of tens of thousands of small files the
 * receiver has the same to say, so that verdicts are said of many at a time.
 *
 * @module
 */
import { createWriter } from "./cursor.ts";
import type { FrameList } from "./manifest.ts";
import {
  addStatus,
  MAX_WANTED,
  type StatusFrame,
  type Verdict,
  type WireStatus,
} from "./status.ts";

const WANT: Verdict = { kind: "want" };

/**
 * Creates a list of status frames, encoded as they are added; verdicts that want
 * one file after the other become one frame. `add()` throws as `encodeStatus()`
 * does.
 */
export function statusFrames(): FrameList<StatusFrame> {
  const all = createWriter("STATUS");
  const body = createWriter("STATUS");
  let index = 0; // of the first that is wanted
  let count = 0;
  const put = (frame: WireStatus): void => addStatus(all, body, frame);
  const putWanted = (): void => {
    if (count > 0) put({ type: "wanted", index, count });
    count = 0;
  };
  return {
    add(frame) {
      if (
        frame.type !== "verdict" || frame.gen > 0 ||
        frame.verdict.kind !== "want"
      ) {
        putWanted();
        put(frame);
        return;
      }
      if (frame.index !== index + count || count === MAX_WANTED) putWanted();
      if (count === 0) index = frame.index;
      count++;
    },
    take() {
      putWanted();
      return all.take();
    },
  };
}

/** The frames that others stand for, one at a time. */
export function* plainStatus(
  frames: readonly WireStatus[],
): Generator<StatusFrame, void> {
  for (const frame of frames) {
    if (frame.type !== "wanted") {
      yield frame;
      continue;
    }
    const end = frame.index + frame.count;
    for (let index = frame.index; index < end; index++) {
      yield { type: "verdict", index, gen: 0, verdict: WANT };
    }
  }
}
