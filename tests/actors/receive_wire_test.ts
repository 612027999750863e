/**
 * What a receiver's connections answer by themselves.
 */
import { assertEquals } from "@std/assert";
import { openReceiveWire } from "../../actors/receive_wire.ts";
import { decodeProbe, encodeProbe, type Probe } from "../../protocol/probe.ts";
import type { Conn } from "../../transport/transport.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";

const never = <T>(): Promise<T> => new Promise(() => {});

/** A connection that brings questions, and keeps what is answered. */
function asking(ids: readonly number[]) {
  const answers: (Probe | undefined)[] = [];
  const questions = ids.map((id) => encodeProbe({ kind: "question", id }));
  const conn = {
    acceptUni: never,
    openUni: never,
    closed: never(),
    close() {},
    datagrams: {
      send(bytes: Uint8Array) {
        answers.push(decodeProbe(bytes));
        return Promise.resolve();
      },
      receive: () => Promise.resolve(questions.shift()),
    },
  } as unknown as Conn;
  return { conn, answers };
}

/** A wire of nothing but connections. */
function bareWire() {
  const clock = new FakeClock();
  const over = new AbortController();
  const cx = {
    signal: over.signal,
    clock,
    self: { send: () => Promise.resolve() },
    spawn: (task: (signal: AbortSignal) => Promise<void>) =>
      void task(over.signal).catch(() => {}), // over
  } as unknown as Parameters<typeof openReceiveWire>[0];
  const link = (conn: Conn, connection: number) =>
    ({
      conn,
      control: { read: never },
      hello: { connection },
    }) as unknown as Parameters<typeof openReceiveWire>[2];
  const lane = { rooms: {} } as unknown as Parameters<
    typeof openReceiveWire
  >[4];
  const open = (first: Conn) =>
    openReceiveWire(cx, 1, link(first, 0), () => new Uint8Array(), lane);
  return { clock, over, link, open };
}

/** A connection that does nothing but end. */
function ending() {
  const ended = Promise.withResolvers<void>();
  let isClosed = false;
  const conn = {
    acceptUni: never,
    openUni: never,
    closed: ended.promise,
    close() {
      isClosed = true;
      ended.resolve();
    },
  } as unknown as Conn;
  return {
    conn,
    get isClosed() {
      return isClosed;
    },
  };
}

Deno.test("receive wire: who does not hear that it is welcome takes a place, and not for long", async () => {
  const { clock, over, link, open } = bareWire();
  const wire = open(ending().conn);
  wire.open();
  const conns = Array.from({ length: 40 }, ending);
  const closed = () => conns.filter(({ isClosed }) => isClosed).length;
  for (const [n, { conn }] of conns.entries()) {
    wire.join(link(conn, n + 1), never());
  }
  await settle();
  assertEquals(closed(), 25);
  await clock.advance(10_000);
  assertEquals(closed(), 40);
  const later = ending();
  wire.join(link(later.conn, 50), Promise.resolve());
  await clock.advance(11_000);
  assertEquals(later.isClosed, false); // the places are free again
  wire.close();
  over.abort();
  assertEquals(later.isClosed, true);
});

Deno.test("receive wire: who waits for its welcome is let go when the wire is closed", async () => {
  const { clock, over, link, open } = bareWire();
  const wire = open(ending().conn);
  wire.open();
  const [silent, failing] = [ending(), ending()];
  wire.join(link(silent.conn, 1), never());
  wire.join(link(failing.conn, 2), Promise.reject(new Error("it is gone")));
  await settle();
  assertEquals([silent.isClosed, failing.isClosed], [false, true]);
  wire.close();
  over.abort();
  await settle();
  assertEquals(silent.isClosed, true);
  assertEquals(clock.pending, 0);
});

Deno.test("receive wire: probes are answered over each connection, once the offer is accepted", async () => {
  const { over, link, open } = bareWire();
  const [first, further] = [asking([1, 2]), asking([7])];
  const wire = open(first.conn);
  await settle();
  assertEquals(first.answers, []);
  wire.open();
  await settle();
  assertEquals(first.answers, [
    { kind: "answer", id: 1 },
    { kind: "answer", id: 2 },
  ]);
  wire.join(link(further.conn, 1), Promise.resolve());
  await settle();
  assertEquals(further.answers, [{ kind: "answer", id: 7 }]);
  wire.close();
  over.abort();
});
