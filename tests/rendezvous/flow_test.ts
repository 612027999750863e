import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import { createRateLimiter } from "../../core/rate.ts";
import { loadDigest } from "../../crypto/digest.ts";
import { runningDigest } from "../../rendezvous/flow_digest.ts";
import {
  decodeFlow,
  encodeFlow,
  type FlowMessage,
} from "../../rendezvous/flow_frames.ts";
import {
  type FlowReceiveOptions,
  type FlowSink,
  receiveFlow,
} from "../../rendezvous/flow_receive.ts";
import {
  type FlowSendOptions,
  type FlowSource,
  sendFlow,
} from "../../rendezvous/flow_send.ts";
import { memoryNetwork } from "../../transport/memory.ts";
import type { Conn } from "../../transport/transport.ts";
import { within } from "../testutil/deadline.ts";
import { randomBytes, seeded } from "../testutil/random.ts";

const DIGEST = await loadDigest();
const MIB = 1 << 20;
const DATA = randomBytes(seeded(7), 5 * MIB + 12_345);

function fileOf(data: Uint8Array, start = 0): FlowSource {
  return {
    start,
    size: data.length,
    oldest: () => 0,
    read: (offset, length) =>
      Promise.resolve(data.subarray(offset, offset + length)),
    forget: () => {},
  };
}

/** A pipe: what was forgotten is gone. */
function pipeOf(data: Uint8Array): FlowSource {
  let gone = 0;
  return {
    start: 0,
    size: undefined,
    oldest: () => gone,
    read(offset, length) {
      assert(offset >= gone, "what is gone was asked for");
      return Promise.resolve(data.subarray(offset, offset + length));
    },
    forget(offset) {
      gone = Math.max(gone, offset);
    },
  };
}

/** A file in memory, with something in it. */
function memorySink(there: Uint8Array = new Uint8Array()) {
  let parts = [there];
  const state = { finished: false, resets: 0 };
  const bytes = (): Uint8Array =>
    new Uint8Array(parts.flatMap((part) => [...part]));
  const sink: FlowSink = {
    begin: (start) =>
      Promise.resolve({ base: start, from: start + bytes().length }),
    async *existing() {
      yield* parts;
    },
    reset() {
      parts = [];
      state.resets++;
      return Promise.resolve();
    },
    write(more) {
      parts.push(more.slice());
      return Promise.resolve();
    },
    finish() {
      state.finished = true;
      return Promise.resolve();
    },
  };
  return { sink, bytes, state };
}

/** A line between two, that can be cut. */
function line() {
  const network = memoryNetwork();
  const listener = network.listen("receiver");
  const conns: Conn[] = [];
  return {
    dials: () => conns.length,
    async dial(signal: AbortSignal) {
      const conn = await network.dialer("receiver").dial(signal);
      conns.push(conn);
      return conn;
    },
    accept: () => listener.accept(),
    cut() {
      const conn = conns.at(-1);
      if (conn !== undefined) network.lose(conn);
    },
    close: () => listener.close(),
  };
}

interface Run {
  readonly send?: Partial<FlowSendOptions>;
  readonly receive?: Partial<FlowReceiveOptions>;
  readonly signal?: AbortSignal;
}

function transfer(source: FlowSource, sink: FlowSink, run: Run = {}) {
  const wire = line();
  const signal = run.signal ?? new AbortController().signal;
  const common = { digest: DIGEST, clock: systemClock };
  const received = receiveFlow(
    { ...common, sink, accept: wire.accept, ...run.receive },
    signal,
  );
  const sent = sendFlow(
    { ...common, source, dial: wire.dial, ...run.send },
    signal,
  );
  received.catch(() => {});
  sent.catch(() => {});
  return { wire, sent, received };
}

Deno.test("flow: all of a file and of a pipe arrive in order, and both sides know", async () => {
  for (const source of [fileOf(DATA), pipeOf(DATA), fileOf(new Uint8Array())]) {
    const { sink, bytes, state } = memorySink();
    const { sent, received } = transfer(source, sink);
    const total = source.size ?? DATA.length;
    assertEquals(await within(20_000, "the sender", sent), total);
    assertEquals(await within(20_000, "the receiver", received), total);
    assertEquals(bytes(), DATA.subarray(0, total));
    assertEquals(state, { finished: true, resets: 0 });
  }
});

Deno.test("flow: a line that is cut again and again is dialed again, and nothing is lost or twice", async () => {
  for (const source of [fileOf(DATA), pipeOf(DATA)]) {
    const { sink, bytes } = memorySink();
    let cuts = 0;
    const { wire, sent, received } = transfer(source, sink, {
      receive: {
        onEvent(event) {
          if (event.type !== "progress" || cuts >= 3) return;
          if (event.bytes < (cuts + 1) * MIB) return;
          cuts++;
          wire.cut();
        },
      },
    });
    await within(20_000, "the sender", sent);
    await within(20_000, "the receiver", received);
    assertEquals(bytes(), DATA);
    assertEquals([cuts, wire.dials() >= 4], [3, true]);
  }
});

Deno.test("flow: what is there already is not sent again, unless it is of another file", async () => {
  const half = DATA.subarray(0, 3 * MIB + 7);
  const right = memorySink(half);
  let from = 0;
  const first = transfer(fileOf(DATA), right.sink, {
    send: {
      onEvent: (event) => from = event.type === "up" ? event.from : from,
    },
  });
  await within(20_000, "the sender", first.sent);
  assertEquals([from, right.bytes().length], [half.length, DATA.length]);
  assertEquals(right.bytes(), DATA);

  const other = half.slice();
  other[2 * MIB] = (other[2 * MIB] ?? 0) ^ 1;
  const wrong = memorySink(other);
  const second = transfer(fileOf(DATA), wrong.sink);
  await within(20_000, "the sender", second.sent);
  assertEquals(wrong.bytes(), DATA);
  assertEquals(wrong.state.resets, 1);
});

Deno.test("flow: a skip sends from there on; one that leaves a hole is refused by both", async () => {
  const { sink, bytes } = memorySink();
  const { sent, received } = transfer(fileOf(DATA, 4 * MIB), sink);
  await within(20_000, "the sender", sent);
  assertEquals(await received, DATA.length - 4 * MIB);
  assertEquals(bytes(), DATA.subarray(4 * MIB));

  const hole = memorySink(DATA.subarray(0, MIB));
  const fixed = {
    ...hole.sink,
    begin: () => Promise.resolve({ base: 0, from: MIB }),
  };
  const refused = transfer(fileOf(DATA, 2 * MIB), fixed);
  const error = await assertRejects(
    () => within(20_000, "the sender", refused.sent),
    SftpxError,
    "give both the same skip",
  );
  assertEquals(error.code, "integrity");
});

Deno.test("flow: a receiver that comes back to a pipe with less than it had is told that it is gone", async () => {
  const source = pipeOf(DATA);
  source.forget(2 * MIB);
  const { sink } = memorySink(DATA.subarray(0, MIB));
  const { sent } = transfer(source, sink);
  const error = await assertRejects(
    () => within(20_000, "the sender", sent),
    SftpxError,
    "is gone",
  );
  assertEquals(error.code, "local-io");
});

Deno.test("flow: a disk that is full ends both, and a signal ends each", async () => {
  const { sink } = memorySink();
  const full = {
    ...sink,
    write: () =>
      Promise.reject(new SftpxError("local-io", "Cannot write: it is full")),
  };
  const { sent, received } = transfer(fileOf(DATA), full);
  await assertRejects(
    () => within(20_000, "the receiver", received),
    SftpxError,
    "it is full",
  );
  await assertRejects(
    () => within(20_000, "the sender", sent),
    SftpxError,
    "cannot write",
  );

  const stop = new AbortController();
  const endless: FlowSource = {
    ...pipeOf(DATA),
    read: () => new Promise(() => {}), // a pipe that says nothing
  };
  const waiting = transfer(endless, memorySink().sink, { signal: stop.signal });
  stop.abort(new SftpxError("cancelled", "Cannot go on: interrupted"));
  for (const side of [waiting.sent, waiting.received]) {
    await assertRejects(
      () => within(20_000, "the end", side),
      SftpxError,
      "interrupted",
    );
  }
});

Deno.test("flow: a rate holds, on either side", async () => {
  const data = DATA.subarray(0, MIB);
  for (const side of ["send", "receive"] as const) {
    const limiter = createRateLimiter(2 * MIB, systemClock);
    const start = performance.now();
    const { sent } = transfer(fileOf(data), memorySink().sink, {
      [side]: { limiter },
    });
    await within(20_000, "the sender", sent);
    assert(performance.now() - start > 200, side);
  }
});

Deno.test("flow: messages read back, and cut or odd ones are refused", () => {
  const digest = new Uint8Array(32).fill(7);
  const all: FlowMessage[] = [
    { type: "hello", start: 5, size: 2 ** 40 },
    { type: "hello", start: 0, size: undefined },
    { type: "start", base: 3, from: 9, digest },
    { type: "go", ok: true },
    { type: "ack", written: 2 ** 50 },
    { type: "end", total: 12, digest },
    { type: "done" },
    { type: "wrong", why: "disk" },
  ];
  for (const message of all) {
    const bytes = encodeFlow(message);
    const [length = 0, type = 0] = bytes;
    assertEquals(length, bytes.length - 2);
    assertEquals(decodeFlow(type, bytes.subarray(2)), message);
    for (let cut = 0; cut < length; cut++) {
      try {
        decodeFlow(type, bytes.subarray(2, 2 + cut));
        assert(false, "it was taken");
      } catch (error) {
        assert(error instanceof SftpxError && error.code === "protocol");
      }
    }
  }
  assertEquals(
    encodeFlow({ type: "ack", written: 1 }).toHex(),
    "08040000000000000001",
  );
});

Deno.test("runningDigest() is the same however the bytes are cut, and at any point", () => {
  const whole = runningDigest(DIGEST);
  whole.update(DATA);
  const parts = runningDigest(DIGEST);
  for (let at = 0; at < DATA.length; at += 99_991) {
    parts.digest();
    parts.update(DATA.subarray(at, at + 99_991));
  }
  assertEquals(parts.digest(), whole.digest());
  parts.update(Uint8Array.of(0));
  assert(parts.digest().toHex() !== whole.digest().toHex());
});
