import { assert, assertEquals } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { decodeProbe, encodeProbe, type Probe } from "../protocol/probe.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import type { Datagrams } from "../transport/transport.ts";
import { answerProbes, createTripPings, type TripPings } from "./trip_pings.ts";

/** Datagrams of one end, given and taken by the test. */
function datagrams() {
  const sent: Uint8Array[] = [];
  const queue: (Uint8Array | undefined)[] = [];
  let wake = (): void => {};
  const own: Datagrams = {
    send(bytes) {
      sent.push(bytes);
      return Promise.resolve();
    },
    async receive() {
      while (queue.length === 0) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      return queue.shift();
    },
  };
  return {
    own,
    sent,
    probes: (): (Probe | undefined)[] => sent.map(decodeProbe),
    comes(...bytes: (Uint8Array | undefined)[]) {
      queue.push(...bytes);
      wake();
    },
  };
}

const answer = (id: number): Uint8Array => encodeProbe({ kind: "answer", id });
const FAST = 1e9;

function table(own: Datagrams | undefined): {
  clock: FakeClock;
  pinged: number[];
  pings: TripPings;
} {
  const clock = new FakeClock();
  const pinged: number[] = [];
  const ping = (id: number): void => void pinged.push(id);
  const pings = createTripPings({ clock, firstMs: 100, ping, datagrams: own });
  return { clock, pinged, pings };
}

Deno.test("pings go both ways until a datagram has come back, then in datagrams alone", async () => {
  const net = datagrams();
  const { clock, pinged, pings } = table(net.own);
  const listening = pings.listen();
  pings.look(FAST);
  assertEquals(pinged, [1]);
  assertEquals(net.probes(), [{ kind: "question", id: 1 }]);
  await clock.advance(30);
  net.comes(answer(1));
  await clock.advance(20);
  assert(pings.isExact);
  assertEquals(pings.trips.shortestMs, 30);
  pings.look(FAST);
  assertEquals(pinged, [1]);
  assertEquals(net.sent.length, 2);
  net.comes(undefined);
  await listening;
});

Deno.test("pings take no answer twice, none that nobody asked for, and nothing that is no answer", async () => {
  const net = datagrams();
  const { clock, pings } = table(net.own);
  const listening = pings.listen();
  pings.look(FAST);
  net.comes(
    answer(2),
    encodeProbe({ kind: "question", id: 1 }),
    new Uint8Array(900),
    new Uint8Array(0),
  );
  await clock.advance(50);
  assert(!pings.isExact);
  net.comes(answer(1));
  await clock.advance(10);
  net.comes(answer(1));
  await clock.advance(200);
  assertEquals(pings.trips.lateMs(1e6), 50);
  net.comes(undefined);
  await listening;
});

Deno.test("pings go on when datagrams are lost, and ask as often as ever", async () => {
  const net = datagrams();
  const { clock, pings } = table(net.own);
  const listening = pings.listen();
  pings.look(FAST);
  net.comes(answer(1));
  for (let n = 0; n < 500; n++) {
    await clock.advance(50);
    pings.look(FAST);
  }
  assertEquals(net.sent.length, 501);
  net.comes(answer(501), answer(3)); // that one is long lost
  await clock.advance(40);
  net.comes(undefined);
  await listening;
  assertEquals(pings.trips.lateMs(0), 0);
});

Deno.test("pings go over the control stream where there are no datagrams, twelve at most without an answer", async () => {
  const refusing: Datagrams = {
    send: () => Promise.reject(new SftpxError("connection-lost", "no")),
    receive: () => Promise.resolve(undefined),
  };
  for (const own of [undefined, refusing]) {
    const { clock, pinged, pings } = table(own);
    await pings.listen();
    for (let n = 0; n < 30; n++) {
      pings.look(FAST);
      await clock.advance(50);
    }
    assertEquals(pinged.length, 12);
    pings.pong(12);
    assert(!pings.isExact);
    pings.look(FAST);
    assertEquals(pinged.length, 13);
  }
});

Deno.test("answerProbes() answers questions and nothing else, until the connection is gone", async () => {
  const net = datagrams();
  let heard = 0;
  const answering = answerProbes(net.own, () => heard++);
  net.comes(
    encodeProbe({ kind: "question", id: 7 }),
    answer(8),
    new Uint8Array(1000).fill(1),
    encodeProbe({ kind: "question", id: 2 ** 32 - 1 }),
    undefined,
  );
  await answering;
  assertEquals(heard, 2);
  assertEquals(net.probes(), [
    { kind: "answer", id: 7 },
    { kind: "answer", id: 2 ** 32 - 1 },
  ]);
});
