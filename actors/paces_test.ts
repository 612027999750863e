import { assert, assertEquals, assertLess } from "@std/assert";
import { decodeProbe, encodeProbe } from "../protocol/probe.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import type { Datagrams } from "../transport/transport.ts";
import { createPaces } from "./paces.ts";
import { createTripPings, type TripPings } from "./trip_pings.ts";

const RTT_MS = 50;
const MB = 1e6;

/** A path whose questions are answered after some time, or never. */
function answering(clock: FakeClock, tripMs: () => number | undefined) {
  const came: Uint8Array[] = [];
  let wake = (): void => {};
  const asked: number[] = [];
  const own: Datagrams = {
    send(bytes) {
      const { id } = decodeProbe(bytes) ?? { id: 0 };
      asked.push(id);
      const ms = tripMs();
      if (ms !== undefined) {
        clock.delay(ms).then(() => {
          came.push(encodeProbe({ kind: "answer", id }));
          wake();
        });
      }
      return Promise.resolve();
    },
    async receive() {
      for (;;) {
        const next = came.shift();
        if (next !== undefined) return next;
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
  };
  return { own, asked };
}

/**
 * Plays 4 s in which 5 MB a second arrive over a further connection by BBR, and
 * gives what goes at once over it in the end, bytes.
 *
 * @param firstMs Round trips over the first connection after a while.
 * @param ownMs And over the further one.
 */
async function played(
  firstMs: number,
  ownMs: number | undefined,
): Promise<{ pieceBytes: number; asked: number }> {
  const clock = new FakeClock();
  const late = (ms: number | undefined) => () =>
    clock.now() < 1000 && ms !== undefined ? RTT_MS : ms;
  const first = answering(clock, late(firstMs));
  const further = answering(clock, late(ownMs));
  const listen = (pings: TripPings): void => void pings.listen();
  const pings = createTripPings({
    ...{ clock, firstMs: RTT_MS, ping() {} },
    datagrams: first.own,
  });
  listen(pings);
  const paces = createPaces(clock, pings, listen);
  assert(paces.isEmpty);
  const pace = paces.add(1, { datagrams: further.own });
  assert(!paces.isEmpty);
  const over = new AbortController();
  const taking: Promise<void>[] = [];
  for (let ms = 0; ms < 4000; ms += 50) {
    await clock.advance(50);
    pings.look(5 * MB);
    taking.push(pace.take(250_000, over.signal).catch(() => {}));
    const bytes = (ms + 50) / 1000 * 5 * MB;
    paces.look({
      rate: 5 * MB,
      arrived: (connection) => connection === 1 ? bytes : 0,
      lateMs: 100,
    });
  }
  over.abort();
  await Promise.all(taking);
  paces.leave(1);
  assert(paces.isEmpty);
  const { pieceBytes = Infinity } = pace;
  return { pieceBytes, asked: further.asked.length };
}

Deno.test("paces: what a connection by BBR has of a queue is asked over itself", async () => {
  const clear = await played(RTT_MS, RTT_MS);
  const full = await played(RTT_MS, 4 * RTT_MS);
  assertLess(full.pieceBytes, clear.pieceBytes);
  // What waits over the first connection is not its queue.
  const other = await played(4 * RTT_MS, RTT_MS);
  assertEquals(other.pieceBytes, clear.pieceBytes);
  assert(clear.asked > 50, `${clear.asked}`);
});

Deno.test("paces: where no answer comes, the path's round trips have to do", async () => {
  const clear = await played(RTT_MS, undefined);
  const full = await played(4 * RTT_MS, undefined);
  assertLess(full.pieceBytes, clear.pieceBytes);
});

Deno.test("paces: one question that waited does not make a queue", async () => {
  const clock = new FakeClock();
  const first = answering(clock, () => RTT_MS);
  const { own } = answering(clock, () => RTT_MS);
  let isFirst = true;
  const further: Datagrams = {
    receive: own.receive,
    async send(bytes) {
      const waitsMs = isFirst ? 4 * RTT_MS : 0; // for the connection's own first window
      isFirst = false;
      await clock.delay(waitsMs);
      await own.send(bytes);
      await clock.delay(waitsMs);
    },
  };
  const listen = (pings: TripPings): void => void pings.listen();
  const path = createTripPings({
    ...{ clock, firstMs: RTT_MS, ping() {} },
    datagrams: first.own,
  });
  listen(path);
  const paces = createPaces(clock, path, listen);
  const pace = paces.add(1, { datagrams: further });
  const over = new AbortController();
  let taken = 0;
  const take = async (): Promise<void> => {
    for (;;) {
      await pace.take(16 * 1024, over.signal);
      taken += 16 * 1024;
    }
  };
  take().catch(() => {}); // over
  const given: number[] = [];
  let arrived = 0;
  for (let ms = 0; ms < 2000; ms += 25) {
    await clock.advance(25);
    given.push(taken);
    // A round trip late; the connection begins with ten packets, and the path carries 25 MB a second.
    const most = Math.min(7000 * 2 ** (ms / RTT_MS), 25_000 * 25);
    arrived = Math.min(given.at(-1 - RTT_MS / 25) ?? 0, arrived + most);
    path.look(MB);
    paces.look({ rate: MB, arrived: () => arrived, lateMs: 100 });
  }
  over.abort();
  assert(taken > 20 * MB, `only ${taken} bytes`);
});
