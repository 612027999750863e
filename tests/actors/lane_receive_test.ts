import { assertEquals, assertRejects } from "@std/assert";
import { createRooms, type Rooms } from "../../workers/rooms.ts";
import {
  type CheckedChunk,
  receiveLane,
  type Target,
} from "../../actors/lane_receive.ts";
import { SftpxError } from "../../core/errors.ts";
import { createStopwatch } from "../../core/stopwatch.ts";
import type { FileEntry } from "../../protocol/entry.ts";
import {
  LANE_HEADER_BYTES,
  type LaneRecord,
  RECORD_HEADER_BYTES,
  writeLaneHeader,
  writeRecord,
} from "../../protocol/lane.ts";
import { memoryPipe } from "../../transport/memory_pipe.ts";
import { FakeClock } from "../testutil/fake_clock.ts";
import { hashing } from "./pair.ts";

/** What no other thread can write. */
const HERE = { name: "", beginWrite: () => -1, endWrite: () => undefined };

const CHUNK = 1 << 16;
const { digest, pool } = await hashing();

const FILE: FileEntry = {
  kind: "file",
  path: "f",
  mode: 0o644,
  mtimeNs: 0n,
  size: CHUNK * 4,
  chunkSize: CHUNK,
};

/** One record, and what follows it. */
interface Said extends Partial<LaneRecord> {
  readonly payload?: Uint8Array;
}

/** A frame that holds `records`, right unless they say otherwise. */
function frame(...records: Said[]): Uint8Array<ArrayBuffer> {
  const sizes = records.map(({ payload }) =>
    RECORD_HEADER_BYTES + (payload?.length ?? 0)
  );
  const length = sizes.reduce((a, b) => a + b, 0);
  const bytes = new Uint8Array(LANE_HEADER_BYTES + length);
  writeLaneHeader(bytes, 0, { length, count: records.length });
  let at = LANE_HEADER_BYTES;
  for (const { payload = new Uint8Array(), ...fields } of records) {
    writeRecord(bytes, at, {
      kind: payload.length === 0 ? "same" : "data",
      gen: 0,
      length: payload.length || CHUNK,
      index: 0,
      chunk: 0,
      digest: digest.digest(payload),
      ...fields,
    });
    bytes.set(payload, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + payload.length;
  }
  return bytes;
}

interface Outcome {
  readonly written: number[];
  readonly checked: CheckedChunk[];
  readonly error: SftpxError | undefined;
}

/** What a lane makes of these bytes, and then the end. */
async function hear(
  bytes: Uint8Array,
  options: {
    target?: Target;
    judge?: () => "take" | "drop";
    rooms?: Rooms;
  } = {},
): Promise<Outcome> {
  const written: number[] = [];
  const checked: CheckedChunk[] = [];
  const pipe = memoryPipe(1 << 20, { begun() {}, done() {} });
  const target: Target = options.target ?? {
    ...HERE,
    run: 1,
    gen: 0,
    entry: FILE,
    write(chunk) {
      written.push(chunk);
      return Promise.resolve(true);
    },
    confirm: () => false,
  };
  const sent = pipe.send.write(bytes).then(() => pipe.send.end());
  let error: SftpxError | undefined;
  try {
    await receiveLane({
      stream: pipe.receive,
      pool,
      rooms: options.rooms ?? createRooms(1 << 24),
      judge: options.judge ?? (() => "take"),
      target: (index) => index === 0 ? target : undefined,
      maxBody: () => CHUNK * 2,
      checked(chunks) {
        checked.push(...chunks);
        return Promise.resolve();
      },
      received() {},
      arrived() {},
      now: () => 0,
    }, new AbortController().signal);
  } catch (thrown) {
    if (!(thrown instanceof SftpxError)) throw thrown;
    error = thrown;
    await pipe.receive.cancel();
  }
  await sent.catch(() => {});
  return { written, checked, error };
}

function noise(length: number, value = 1): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

Deno.test("receive lane: chunks of one frame and of several are put in place and told", async () => {
  const one = frame({ payload: noise(10), chunk: 0 }, {
    payload: noise(20),
    chunk: 1,
  });
  const two = frame({ payload: noise(30), chunk: 2 });
  const { written, checked, error } = await hear(
    new Uint8Array([...one, ...two]),
  );
  assertEquals(error, undefined);
  assertEquals(written.toSorted(), [0, 1, 2]);
  assertEquals(checked.map(({ verdict }) => verdict), [
    "written",
    "written",
    "written",
  ]);
});

Deno.test("receive lane: a stream that is cut within a frame is a lost connection, wherever it is cut", async () => {
  const bytes = frame({ payload: noise(7) }, { payload: noise(3), chunk: 1 });
  for (let cut = 1; cut < bytes.length; cut++) {
    const { written, error } = await hear(bytes.subarray(0, cut));
    assertEquals(error?.code, "connection-lost");
    assertEquals(written, []);
  }
  assertEquals((await hear(bytes.subarray(0, 0))).error, undefined);
});

Deno.test("receive lane: one flipped bit anywhere in the content is noticed, and nothing of it is written", async () => {
  const payload = noise(16);
  const right = frame({ payload });
  const from = LANE_HEADER_BYTES + RECORD_HEADER_BYTES;
  for (let at = from; at < right.length; at++) {
    const wrong = right.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 4;
    const { written, checked } = await hear(wrong);
    assertEquals(written, []);
    assertEquals(checked.map(({ verdict }) => verdict), ["corrupt"]);
  }
});

Deno.test("receive lane: a flipped bit in the digest is noticed too", async () => {
  const wrong = frame({ payload: noise(16), digest: noise(32) });
  const { written, checked } = await hear(wrong);
  assertEquals(written, []);
  assertEquals(checked.map(({ verdict }) => verdict), ["corrupt"]);
});

Deno.test("receive lane: a frame that is longer than any chunk is refused before room is made for it", async () => {
  for (const length of [CHUNK * 2 + 1, 17 * 2 ** 20, 2 ** 31, 2 ** 32 - 1]) {
    const bytes = frame({ payload: noise(8) });
    new DataView(bytes.buffer).setUint32(0, length);
    const { error, written } = await hear(bytes);
    assertEquals(error?.code, "protocol");
    assertEquals(written, []);
  }
});

Deno.test("receive lane: a frame whose records do not fill it, or fill more, is refused", async () => {
  const right = frame({ payload: noise(8) });
  const view = (bytes: Uint8Array<ArrayBuffer>): DataView =>
    new DataView(bytes.buffer);
  const none = right.slice();
  view(none).setUint16(4, 0);
  const two = right.slice();
  view(two).setUint16(4, 2);
  const longer = right.slice();
  view(longer).setUint32(LANE_HEADER_BYTES + 4, 9);
  const shorter = right.slice();
  view(shorter).setUint32(LANE_HEADER_BYTES + 4, 7);
  for (const bytes of [none, two, longer, shorter]) {
    const { error, written } = await hear(bytes);
    assertEquals(error?.code, "protocol");
    assertEquals(written, []);
  }
});

Deno.test("receive lane: nothing is written of files that are not open, or of another version", async () => {
  const { written, checked, error } = await hear(frame(
    { payload: noise(8), index: 1 },
    { payload: noise(8), gen: 1 },
    { payload: noise(8), index: 2 ** 52 },
  ));
  assertEquals({ written, checked, error }, {
    written: [],
    checked: [],
    error: undefined,
  });
});

Deno.test("receive lane: what the rules refuse is never written", async () => {
  const refused = new SftpxError("protocol", "Cannot accept it");
  const { written, error } = await hear(
    frame({ payload: noise(8) }, { payload: noise(8), chunk: 1 }),
    {
      judge() {
        throw refused;
      },
    },
  );
  assertEquals(written, []);
  assertEquals(error, refused);
  const dropped = await hear(frame({ payload: noise(8) }), {
    judge: () => "drop",
  });
  assertEquals(dropped.written, []);
  assertEquals(dropped.checked, []);
});

Deno.test("receive lane: that a chunk is the same holds only for a digest that was offered", async () => {
  const offered = digest.digest(noise(5));
  const confirm = (chunk: number, given: Uint8Array): boolean =>
    chunk === 1 && given.toHex() === offered.toHex();
  const target: Target = {
    ...HERE,
    run: 1,
    gen: 0,
    entry: FILE,
    write: () => Promise.reject(new TypeError("it is here already")),
    confirm,
  };
  const right = await hear(frame({ chunk: 1, digest: offered }), { target });
  assertEquals(right.checked.map(({ verdict }) => verdict), ["same"]);
  const wrong = await hear(frame({ chunk: 2, digest: offered }), { target });
  assertEquals(wrong.error?.code, "protocol");
});

Deno.test("receive lane: a chunk of a file that was closed meanwhile went nowhere, and is not told of", async () => {
  const target: Target = {
    ...HERE,
    run: 1,
    gen: 0,
    entry: FILE,
    write: (chunk) => Promise.resolve(chunk === 1),
    confirm: () => false,
  };
  const payload = noise(8);
  const { checked, error } = await hear(
    frame({ chunk: 0, payload }, { chunk: 1, payload }),
    { target },
  );
  assertEquals(error, undefined);
  assertEquals(checked.map(({ chunk }) => chunk), [1]);
});

Deno.test("receive lane: what the disk refuses ends the lane with its reason", async () => {
  const target: Target = {
    ...HERE,
    run: 1,
    gen: 0,
    entry: FILE,
    write: () => Promise.reject(new SftpxError("local-io", "Cannot write")),
    confirm: () => false,
  };
  const { error } = await hear(frame({ payload: noise(8) }), { target });
  assertEquals(error?.code, "local-io");
});

Deno.test("receive lane: a room is given back whole, though its buffer moved", async () => {
  const rooms = createRooms(1 << 24);
  const taken: number[] = [];
  const back: (number | undefined)[] = [];
  const one = frame({ payload: noise(8) });
  const { error } = await hear(new Uint8Array([...one, ...one, ...one]), {
    rooms: {
      ...rooms,
      async take(length, signal) {
        const { bytes, release } = await rooms.take(length, signal);
        taken.push(bytes.length);
        return {
          bytes,
          release(bytes) {
            back.push(bytes?.length);
            release(bytes);
          },
        };
      },
    },
  });
  assertEquals(error, undefined);
  assertEquals(taken.length, 3);
  assertEquals(back, taken);
});

Deno.test("receive lane: one that is stopped takes no further frame", async () => {
  const pipe = memoryPipe(1 << 20, { begun() {}, done() {} });
  const stop = new AbortController();
  const lane = receiveLane({
    stream: pipe.receive,
    pool,
    rooms: createRooms(1 << 24),
    judge: () => "take",
    target: () => undefined,
    maxBody: () => CHUNK,
    checked: () => Promise.resolve(),
    received() {},
    arrived() {},
    now: () => 0,
  }, stop.signal);
  stop.abort(new SftpxError("cancelled", "stopped"));
  await pipe.send.write(frame({ payload: noise(8) }));
  await assertRejects(() => lane, SftpxError, "stopped");
});

Deno.test("receive lane: a wait that ends with its connection, before a frame or within, is over", async () => {
  const bytes = frame({ payload: noise(8) });
  for (const before of [0, LANE_HEADER_BYTES]) {
    const clock = new FakeClock();
    const watch = createStopwatch(["net", "disk"], clock);
    let at = 0;
    const lane = receiveLane({
      stream: {
        readFully(view) {
          if (at === before) {
            return Promise.reject(new SftpxError("connection-lost", "gone"));
          }
          view.set(bytes.subarray(at, at + view.length));
          at += view.length;
          return Promise.resolve(view);
        },
        readSome: () => Promise.reject(new Error("nobody reads so")),
        cancel: () => Promise.resolve(),
      },
      pool,
      rooms: createRooms(1 << 24),
      judge: () => "take",
      target: () => undefined,
      maxBody: () => CHUNK,
      checked: () => Promise.resolve(),
      received() {},
      arrived() {},
      now: () => 0,
      watch,
    }, new AbortController().signal);
    await assertRejects(() => lane, SftpxError, "gone");
    await clock.advance(5000);
    assertEquals(watch.lap()?.waits, { net: 0, disk: 0 });
  }
});
