/**
 * A receiver's lane whose bytes are another thread's: that reads and hashes its
 * frames, and writes them where it is told. What may come, and where it goes, is
 * decided here, as for any other lane.
 *
 * @module
 */
import { sameDigest } from "../protocol/digests.ts";
import { readRecord, RECORD_HEADER_BYTES } from "../protocol/lane.ts";
import type { FarReceiveStream } from "../workers/far_conn.ts";
import type { FarFrame } from "../workers/lane_calls.ts";
import {
  type CheckedChunk,
  type ReceiveLaneDeps,
  same,
  takeFrame,
  targetOf,
} from "./lane_receive.ts";

/**
 * Receives until the sender ends the stream.
 *
 * @throws {SftpxError} as `receiveLane()` does.
 */
export async function receiveFarLane(
  deps: ReceiveLaneDeps & { readonly stream: FarReceiveStream },
  signal: AbortSignal,
): Promise<void> {
  const { stream, watch } = deps;
  const deaf = stream.listen(deps.arrived);
  try {
    for (;;) {
      const come = watch?.begin("net");
      const frame = await stream.frame(deps.maxBody());
      come?.();
      signal.throwIfAborted();
      if (frame === undefined) return;
      deps.arrived(frame.arrived);
      const checked = frame.body === undefined
        ? await placeFrame(deps, frame)
        : (await takeFrame(deps, frame.body, frame.count)).checked;
      const taken = watch?.begin("disk");
      if (checked.length > 0) await deps.checked(checked);
      taken?.();
    }
  } finally {
    deaf();
  }
}

/** Has the records of a frame written that are right. */
async function placeFrame(
  deps: ReceiveLaneDeps & { readonly stream: FarReceiveStream },
  { count, heads, digests }: FarFrame,
): Promise<readonly CheckedChunk[]> {
  const checked: CheckedChunk[] = [];
  const writes: Promise<void>[] = [];
  let start = 0;
  let hashed = 0;
  for (let n = 0; n < count; n++) {
    const record = readRecord(heads, n * RECORD_HEADER_BYTES);
    start += RECORD_HEADER_BYTES;
    const from = start;
    const isData = record.kind === "data";
    const actual = digests.subarray(hashed, hashed + DIGEST_BYTES);
    if (isData) {
      start += record.length;
      hashed += DIGEST_BYTES;
    }
    const target = targetOf(deps, record);
    if (target === undefined) continue;
    const digest = record.digest.slice();
    if (!isData) {
      checked.push(same(target, record, digest));
      continue;
    }
    const { index, chunk, length: bytes } = record;
    const { run, gen } = target;
    const note = (verdict: CheckedChunk["verdict"]): void => {
      checked.push({ run, index, gen, chunk, digest, bytes, verdict });
    };
    deps.received(bytes);
    if (!sameDigest(digest, actual)) {
      note("corrupt");
      continue;
    }
    const put = deps.watch?.begin("disk");
    const part = deps.stream.part(from, from + bytes);
    writes.push(
      target.write(chunk, part).then((isDone) => {
        put?.();
        if (isDone) note("written");
      }),
    );
  }
  await Promise.all(writes);
  return checked;
}

const DIGEST_BYTES = 32;
