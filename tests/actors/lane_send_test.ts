import { createWriter } from "../../protocol/cursor.ts";
import { assertEquals, assertRejects } from "@std/assert";
import {
  type LeaseReport,
  type Readable,
  sendLane,
  type SendLaneDeps,
} from "../../workers/lane_send.ts";
import { SftpxError } from "../../core/errors.ts";
import { createStopwatch } from "../../core/stopwatch.ts";
import type { FileEntry } from "../../protocol/entry.ts";
import {
  forEachRecord,
  LANE_HEADER_BYTES,
  readLaneHeader,
  RECORD_HEADER_BYTES,
} from "../../protocol/lane.ts";
import { type Outgoing, outgoing, type Work } from "../../protocol/outgoing.ts";
import type { HashPool } from "../../workers/hash_pool.ts";
import { FakeClock } from "../testutil/fake_clock.ts";
import { CHUNK, hashing } from "./pair.ts";

const { digest, pool } = await hashing();

/** A source that reads as the test says. */
interface Content {
  bytes: Uint8Array;
  hasChanged?: boolean;
  error?: SftpxError;
}

function readable(content: Content): Readable {
  return {
    open: () =>
      content.error ? Promise.reject(content.error) : Promise.resolve({
        read(into: Uint8Array, position: number) {
          const piece = content.bytes.subarray(
            position,
            position + into.length,
          );
          into.set(piece);
          return Promise.resolve(piece.length);
        },
        changed: () =>
          Promise.resolve(
            content.hasChanged ? { size: 1, mtimeNs: 1n } : undefined,
          ),
        close: () => Promise.resolve(),
      }),
  };
}

function file(size: number): FileEntry {
  return {
    kind: "file",
    path: "f",
    mode: 0o644,
    mtimeNs: 0n,
    size,
    chunkSize: CHUNK,
  };
}

interface Frame {
  readonly records: {
    kind: string;
    index: number;
    chunk: number;
    bytes: number;
  }[];
}

/** Sends all of these files over one lane; returns the frames and what became of it. */
async function send(
  contents: Content[],
  sizes: number[],
  before?: (ledger: Outgoing<Readable>) => void,
  items?: Work[],
  more: Partial<SendLaneDeps> = {},
): Promise<{ frames: Frame[]; report: LeaseReport; read: number }> {
  const ledger = outgoing<Readable>({
    digest: digest.digest,
    records: createWriter("ROOT"),
    final: () => undefined,
  });
  contents.forEach((content, n) =>
    ledger.add(file(sizes[n] ?? 0), readable(content))
  );
  before?.(ledger);
  const frames: Frame[] = [];
  const lane = sendLane({
    stream: {
      write(bytes) {
        frames.push(parse(bytes.slice()));
        return Promise.resolve();
      },
      end: () => Promise.resolve(),
    },
    ledger,
    pool,
    limiter: undefined,
    wrote() {},
    ...more,
  });
  const all = sizes.map((size, index) => ({
    index,
    gen: 0,
    first: 0,
    count: Math.ceil(size / CHUNK),
  }));
  const report = await lane.send(items ?? all, new AbortController().signal);
  await lane.close();
  return { frames, report, read: ledger.takeRead().length };
}

function parse(bytes: Uint8Array<ArrayBuffer>): Frame {
  const { length, count } = readLaneHeader(
    bytes.subarray(0, LANE_HEADER_BYTES),
  );
  assertEquals(length, bytes.length - LANE_HEADER_BYTES);
  const records: Frame["records"] = [];
  forEachRecord(bytes.subarray(LANE_HEADER_BYTES), count, (record, payload) => {
    const { kind, index, chunk } = record;
    if (kind === "data") {
      assertEquals(digest.digest(payload), record.digest.slice());
    }
    records.push({ kind, index, chunk, bytes: payload.length });
  });
  return { records };
}

function noise(length: number): Uint8Array {
  return new Uint8Array(length).map((_, at) => at * 7 + (at >> 8));
}

const ONE = [{ index: 0, gen: 0 }];

Deno.test("send lane: many small files go in one frame", async () => {
  const sizes = Array.from({ length: 200 }, (_, n) => n + 1);
  const { frames, read } = await send(
    sizes.map((size) => ({ bytes: noise(size) })),
    sizes,
  );
  assertEquals(frames.length, 1);
  assertEquals(frames[0]?.records.map(({ bytes }) => bytes), sizes);
  assertEquals(read, 200);
});

Deno.test("send lane: the first frames are small, as they are waited for, and the others grow", async () => {
  const sizes = Array.from({ length: 800 }, () => 4096);
  const { frames } = await send(
    sizes.map((size) => ({ bytes: noise(size) })),
    sizes,
  );
  const bytes = frames.map(({ records }) =>
    records.reduce((sum, { bytes }) => sum + bytes, 0)
  );
  const grown = [5, 6, 7, 8, 9, 10].map((n) => 1024 * 2 ** n);
  assertEquals(bytes.slice(0, grown.length), grown);
  assertEquals(bytes.reduce((sum, n) => sum + n, 0), 800 * 4096);
});

Deno.test("send lane: a chunk that the receiver holds goes as its digest", async () => {
  const bytes = noise(CHUNK * 2);
  const { frames } = await send([{ bytes }], [CHUNK * 2], (ledger) => {
    ledger.heard({
      type: "verdict",
      index: 0,
      gen: 0,
      verdict: { kind: "compare", chunks: 2 },
    });
    const digests = new Uint8Array(64).fill(9);
    digests.set(digest.digest(bytes.slice(CHUNK)), 32);
    ledger.heard({ type: "candidates", index: 0, gen: 0, first: 0, digests });
  });
  const records = frames.flatMap(({ records }) => records);
  assertEquals(records.map(({ kind }) => kind), ["data", "same"]);
});

Deno.test("send lane: a file that has become shorter is told as changed, and the rest of it is not sent", async () => {
  const { frames, report, read } = await send(
    [{ bytes: noise(CHUNK + 5) }],
    [CHUNK * 3],
  );
  assertEquals(report.changed, ONE);
  assertEquals(read, 0);
  const records = frames.flatMap(({ records }) => records);
  assertEquals(records.map(({ chunk }) => chunk), [0]);
});

Deno.test("send lane: the last chunk of a file that has changed is not sent, so that no mixture is whole", async () => {
  const { frames, report } = await send(
    [{ bytes: noise(CHUNK * 2), hasChanged: true }],
    [CHUNK * 2],
  );
  assertEquals(report.changed, ONE);
  const records = frames.flatMap(({ records }) => records);
  assertEquals(records.map(({ chunk }) => chunk), [0]);
});

Deno.test("send lane: a file that cannot be read is told, and the others go", async () => {
  const error = new SftpxError("local-io", "Cannot read it");
  const { frames, report } = await send(
    [{ bytes: noise(1), error }, { bytes: noise(2) }],
    [1, 2],
  );
  assertEquals(report.failed.map(({ index, reason }) => [index, reason]), [
    [0, "Cannot read it"],
  ]);
  assertEquals(frames.flatMap(({ records }) => records).length, 1);
});

Deno.test("send lane: of what is gone, changed or not known nothing is read", async () => {
  const { frames, report, read } = await send(
    [{ bytes: noise(1) }],
    [1],
    (ledger) => ledger.giveUp(0, "local-io", "gone"),
    [
      { index: 0, gen: 0, first: 0, count: 1 },
      { index: 0, gen: 7, first: 0, count: 1 },
      { index: 5, gen: 0, first: 0, count: 1 },
    ],
  );
  assertEquals(frames, []);
  assertEquals([report.changed, report.failed], [[], []]);
  assertEquals(read, 0);
});

Deno.test("send lane: a room somewhere in its buffer stays where it is, whoever hashes what is in it", async () => {
  const moving: HashPool = {
    ...pool,
    digest(bytes) {
      const { byteOffset, length } = bytes;
      const moved = new Uint8Array(
        bytes.buffer.transfer(),
        byteOffset,
        length,
      );
      return Promise.resolve({ bytes: moved, digest: digest.digest(moved) });
    },
    digestNow: () => undefined,
  };
  const asked: number[][] = [];
  const content = noise(3 * CHUNK + 5);
  const { frames, report } = await send(
    [{ bytes: content }],
    [content.length],
    undefined,
    undefined,
    {
      pool: moving,
      room(bytes, at) {
        asked.push([bytes, at]);
        return new Uint8Array(bytes + 5000).subarray(1000, 1000 + bytes);
      },
    },
  );
  assertEquals(asked.map(([, at]) => at), [
    LANE_HEADER_BYTES + RECORD_HEADER_BYTES,
  ]);
  const bytes = frames.flatMap(({ records }) => records).map((r) => r.bytes);
  assertEquals(bytes, [CHUNK, CHUNK, CHUNK, 5]);
  assertEquals([report.changed, report.failed], [[], []]);
});

Deno.test("send lane: a write that ends with its connection is waited for no longer", async () => {
  const clock = new FakeClock();
  const watch = createStopwatch(["read", "write", "pace", "rate"], clock);
  const ledger = outgoing<Readable>({
    digest: digest.digest,
    records: createWriter("ROOT"),
    final: () => undefined,
  });
  ledger.add(file(10), readable({ bytes: noise(10) }));
  const lane = sendLane({
    stream: {
      write: () => Promise.reject(new SftpxError("connection-lost", "gone")),
      end: () => Promise.resolve(),
    },
    ledger,
    pool,
    limiter: undefined,
    watch,
    wrote() {},
  });
  const items = [{ index: 0, gen: 0, first: 0, count: 1 }];
  await assertRejects(
    () => lane.send(items, new AbortController().signal),
    SftpxError,
    "gone",
  );
  await clock.advance(5000);
  assertEquals(watch.lap()?.waits, { read: 0, write: 0, pace: 0, rate: 0 });
});
