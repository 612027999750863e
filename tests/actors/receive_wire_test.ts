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

Deno.test("receive wire: probes are answered over each connection, once the offer is accepted", async () => {
  const over = new AbortController();
  const cx = {
    signal: over.signal,
    clock: new FakeClock(),
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
  const [first, further] = [asking([1, 2]), asking([7])];
  const lane = {} as unknown as Parameters<typeof openReceiveWire>[4];
  const beat = (): Uint8Array => new Uint8Array();
  const wire = openReceiveWire(cx, 1, link(first.conn, 0), beat, lane);
  await settle();
  assertEquals(first.answers, []);
  wire.open();
  await settle();
  assertEquals(first.answers, [
    { kind: "answer", id: 1 },
    { kind: "answer", id: 2 },
  ]);
  wire.join(link(further.conn, 1));
  await settle();
  assertEquals(further.answers, [{ kind: "answer", id: 7 }]);
  wire.close();
  over.abort();
});
