import { assertEquals } from "@std/assert";
import { receiverLimiter, senderLimiter, type SenderSeen } from "./limiter.ts";

const IDLE: SenderSeen = {
  windowMs: 2000,
  waits: { read: 0, write: 0, pace: 0, rate: 0 },
  cpuMs: 100,
  peer: "none",
  underWayBytes: 1e6,
  windowBytes: 10e6,
  isLossy: false,
};
const waits = (some: Partial<SenderSeen["waits"]>): SenderSeen["waits"] => ({
  ...IDLE.waits,
  ...some,
});

Deno.test("senderLimiter() names what lanes wait for most", () => {
  assertEquals(senderLimiter(IDLE), "none");
  const blocked = { ...IDLE, waits: waits({ write: 12_000, read: 300 }) };
  assertEquals(senderLimiter(blocked), "link");
  assertEquals(senderLimiter({ ...blocked, underWayBytes: 9e6 }), "window");
  assertEquals(senderLimiter({ ...blocked, isLossy: true }), "loss");
  assertEquals(
    senderLimiter({ ...IDLE, waits: waits({ pace: 8000, write: 10 }) }),
    "link",
  );
  assertEquals(
    senderLimiter({ ...IDLE, waits: waits({ read: 6000, write: 900 }) }),
    "disk",
  );
});

Deno.test("limiters take a processor to be busy when all threads are", () => {
  const busy = { ...IDLE, cpuMs: 1900 };
  assertEquals(senderLimiter(busy), "cpu");
  assertEquals(senderLimiter({ ...busy, threads: 2 }), "none");
  assertEquals(senderLimiter({ ...busy, threads: 2, cpuMs: 3500 }), "cpu");
  const here = { windowMs: 2000, waits: { net: 0, disk: 0 }, cpuMs: 1900 };
  assertEquals(receiverLimiter(here), "hash");
  assertEquals(receiverLimiter({ ...here, threads: 2 }), "none");
});

Deno.test("senderLimiter() says what was asked for before anything else", () => {
  const limited = waits({ rate: 8000, write: 9000 });
  assertEquals(
    senderLimiter({ ...IDLE, waits: limited, peer: "disk", cpuMs: 1990 }),
    "rate",
  );
});

Deno.test("senderLimiter() believes the receiver, and then its own processor", () => {
  const blocked = { ...IDLE, waits: waits({ write: 12_000 }) };
  assertEquals(senderLimiter({ ...blocked, peer: "disk" }), "peer-disk");
  assertEquals(senderLimiter({ ...blocked, peer: "hash" }), "peer-cpu");
  assertEquals(senderLimiter({ ...blocked, cpuMs: 1900 }), "cpu");
});

Deno.test("senderLimiter() takes short waits for what they are", () => {
  assertEquals(senderLimiter({ ...IDLE, waits: waits({ read: 300 }) }), "none");
});

Deno.test("receiverLimiter() tells the disk from the network and the processor", () => {
  const seen = { windowMs: 2000, cpuMs: 500, waits: { net: 15_000, disk: 90 } };
  assertEquals(receiverLimiter(seen), "none");
  const slow = { ...seen, waits: { net: 2000, disk: 14_000 } };
  assertEquals(receiverLimiter(slow), "disk");
  assertEquals(receiverLimiter({ ...slow, cpuMs: 1900 }), "hash");
  assertEquals(
    receiverLimiter({ ...seen, waits: { net: 10, disk: 200 } }),
    "none",
  );
});
