import { assert, assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import {
  encodePreamble,
  forEachRecord,
  LANE_HEADER_BYTES,
  type LaneRecord,
  readLaneHeader,
  readPreamble,
  RECORD_HEADER_BYTES,
  writeLaneHeader,
  writeRecord,
} from "./lane.ts";

interface Sent {
  readonly record: LaneRecord;
  readonly payload: Uint8Array;
}

Deno.test("a lane frame is read as it was written, without copies", () => {
  forAll(pack, (sent) => {
    const frame = write(sent);
    const { length, count } = readLaneHeader(frame);
    assertEquals(length, frame.length - LANE_HEADER_BYTES);
    const read: Sent[] = [];
    forEachRecord(
      frame.subarray(LANE_HEADER_BYTES),
      count,
      (record, payload) => {
        assert(payload.buffer === frame.buffer);
        assert(record.digest.buffer === frame.buffer);
        read.push({ record, payload });
      },
    );
    assertEquals(read, sent);
  }, { runs: 200 });
});

Deno.test("no record of a body is visited when one of them is wrong", () => {
  forAll(pack, (sent) => {
    const body = write(sent).subarray(LANE_HEADER_BYTES);
    const count = sent.length;
    const refused = (bytes: Uint8Array, count: number): void => {
      let visits = 0;
      const error = assertThrows(
        () => forEachRecord(bytes, count, () => visits++),
        SftpxError,
      );
      assertEquals([error.code, visits], ["protocol", 0]);
    };
    refused(body, count + 1);
    refused(body, count - 1);
    refused(body.subarray(0, -1), count);
    refused(Uint8Array.of(...body, 0), count);
  }, { runs: 100 });
});

Deno.test("a preamble is read when all of it is there", () => {
  const bytes = encodePreamble("lane", 100_000);
  for (let cut = 0; cut < bytes.length; cut++) {
    assertEquals(readPreamble(bytes.subarray(0, cut)), undefined);
  }
  const longer = Uint8Array.of(...bytes, 1, 2, 3);
  const end = bytes.length;
  assertEquals(readPreamble(longer), { kind: "lane", id: 100_000, end });
  assertThrows(() => encodePreamble("status", 1), RangeError);
});

function write(sent: readonly Sent[]): Uint8Array {
  const length = sent.reduce(
    (sum, { payload }) => sum + RECORD_HEADER_BYTES + payload.length,
    0,
  );
  const frame = new Uint8Array(LANE_HEADER_BYTES + length);
  writeLaneHeader(frame, 0, { length, count: sent.length });
  let at = LANE_HEADER_BYTES;
  for (const { record, payload } of sent) {
    writeRecord(frame, at, record);
    frame.set(payload, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + payload.length;
  }
  return frame;
}

/** One to eight records. */
function pack(random: () => number): Sent[] {
  const pick = (below: number): number => Math.floor(random() * below);
  return Array.from({ length: 1 + pick(8) }, () => {
    const kind = pick(2) === 0 ? "data" : "same";
    const length = 1 + pick(200);
    const record = {
      kind,
      gen: pick(2 ** 16),
      length,
      index: pick(2 ** 53),
      chunk: pick(2 ** pick(54)),
      digest: new Uint8Array(32).fill(pick(256)),
    } as const;
    const payload = new Uint8Array(kind === "data" ? length : 0).fill(
      pick(256),
    );
    return { record, payload };
  });
}
