/**
 * Connections of a sender that come and go, and what becomes of their work.
 */
import { assertEquals } from "@std/assert";
import { openWire, type Wire } from "../../actors/send_wire.ts";
import { createWriter } from "../../protocol/cursor.ts";
import { outgoing, type Work } from "../../protocol/outgoing.ts";
import type { Conn } from "../../transport/transport.ts";
import type { Readable } from "../../workers/lane_send.ts";
import { settle } from "../testutil/fake_clock.ts";
import { CHUNK, hashing } from "./pair.ts";

const { digest, pool } = await hashing();
const never = <T>(): Promise<T> => new Promise(() => {});

/** A connection that takes so many writes, and then no more. */
function stuck(takes: number): Conn {
  const write = (): Promise<void> => takes-- > 0 ? Promise.resolve() : never();
  return {
    openUni: () => Promise.resolve({ write, end: never }),
    acceptUni: never,
    closed: never(),
    close() {},
  } as unknown as Conn;
}

/** A wire whose first connection is stuck, and one more that takes some writes. */
function wireWith(takes: number, over: AbortSignal): Wire {
  const ledger = outgoing<Readable>({
    digest: digest.digest,
    records: createWriter("ROOT"),
    final: () => undefined,
  });
  ledger.add({
    kind: "file",
    path: "f",
    mode: 0o644,
    mtimeNs: 0n,
    size: 8 * CHUNK,
    chunkSize: CHUNK,
  }, {
    open: () =>
      Promise.resolve({
        read: (into: Uint8Array) => Promise.resolve(into.length),
        changed: () => Promise.resolve(undefined),
        close: () => Promise.resolve(),
      }),
  });
  const cx = {
    signal: over,
    self: { send: () => Promise.resolve() },
    spawn: (task: (signal: AbortSignal) => Promise<void>) =>
      void task(over).catch(() => {}), // over
  } as unknown as Parameters<typeof openWire>[0];
  const link = {
    conn: stuck(0),
    control: { read: never },
    welcome: { maxLanes: 8 },
  } as unknown as Wire["link"];
  const wire = openWire(
    cx,
    1,
    link,
    {
      ledger,
      pool,
      limiter: undefined,
      pace: undefined,
      wrote() {},
      heard() {},
      lanes: 1,
    } as Parameters<typeof openWire>[3],
  );
  wire.join(7, stuck(takes));
  wire.restAllBut((connection) => connection === 7);
  return wire;
}

const work = (first: number): Work => ({ index: 0, gen: 0, first, count: 1 });

Deno.test("wire: who retires gives back what it has not begun, and finishes the rest", async () => {
  const over = new AbortController();
  const wire = wireWith(1, over.signal); // the preamble
  wire.give([work(0)]);
  await settle();
  wire.give([work(1)]);
  assertEquals(wire.retire(7), [work(1)]);
  assertEquals(wire.hasRoom(), false);
  wire.wake();
  assertEquals(wire.hasRoom(), true); // over the first
  over.abort();
});

Deno.test("wire: who retired and stands still has stalled as any other; who has nothing left has not", async () => {
  const over = new AbortController();
  const wire = wireWith(1, over.signal);
  wire.give([work(0)]);
  for (let n = 0; n < 20 && !wire.isBusy(7, 0); n++) await settle();
  wire.retire(7);
  assertEquals(wire.isBusy(7, 0), true);
  assertEquals(wire.drop(7), [work(0)]);
  assertEquals(wire.isBusy(7, 0), false);
  assertEquals(wire.retire(7), []);
  over.abort();
});

Deno.test("wire: of those that have as little to do the newest gets the work: what others were given may still be under way", async () => {
  const over = new AbortController();
  const wire = wireWith(1, over.signal);
  wire.wake();
  wire.give([work(0)]);
  await settle();
  assertEquals(wire.drop(7), [work(0)]);
  over.abort();
});
