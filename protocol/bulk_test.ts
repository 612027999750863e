import { assertEquals } from "@std/assert";
import { createBulk } from "./bulk.ts";

const MIB = 1024 * 1024;

interface Path {
  readonly rttMs: number;
  /** What each carries, bytes a ms, at a time. */
  readonly quic: number;
  readonly tcp: number | ((ms: number) => number);
  readonly pendingBytes?: number;
  /** How long a dial takes; `Infinity` when there is no such way, ms. */
  readonly dialMs?: number;
}

/** Plays a transfer, one look every 50 ms; says when which was in use. */
function play(
  { rttMs, quic, tcp, pendingBytes = 1e12, dialMs = 50 }: Path,
  seconds: number,
): { used: ("quic" | "tcp")[]; dials: number[] } {
  const bulk = createBulk();
  const used: ("quic" | "tcp")[] = [];
  const dials: number[] = [];
  let receivedBytes = 0;
  let dueMs = Infinity;
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += 50) {
    if (nowMs >= dueMs) {
      dueMs = Infinity;
      if (dialMs === Infinity) bulk.failed(nowMs);
      else bulk.joined();
    }
    const rate = !bulk.isUsed
      ? quic
      : typeof tcp === "number"
      ? tcp
      : tcp(nowMs);
    receivedBytes += 50 * rate;
    const verdict = bulk.sample({
      nowMs,
      receivedBytes,
      rttMs,
      pendingBytes,
      isAlone: bulk.isUsed,
    });
    if (verdict === "try") {
      dials.push(nowMs);
      dueMs = nowMs + (dialMs === Infinity ? 100 : dialMs);
    }
    used.push(bulk.isUsed ? "tcp" : "quic");
  }
  return { used, dials };
}

const count = <T>(list: readonly T[], one: T): number =>
  list.filter((other) => other === one).length;

Deno.test("createBulk() takes TCP at once where the path is short, and stays with it", () => {
  const { used, dials } = play({ rttMs: 0.3, quic: 2e5, tcp: 8e5 }, 60);
  assertEquals(dials, [0]);
  assertEquals(used.indexOf("tcp"), 1);
  assertEquals(count(used, "quic"), 1);
});

Deno.test("createBulk() leaves long paths, small transfers and those without an answer to QUIC", () => {
  const paths: Path[] = [
    { rttMs: 100, quic: 1e4, tcp: 1e6 },
    { rttMs: 0.3, quic: 2e5, tcp: 8e5, pendingBytes: MIB },
    { rttMs: 11, quic: 2e4, tcp: 8e5, pendingBytes: 31 * MIB },
  ];
  for (const path of paths) assertEquals(play(path, 30).dials, []);
});

Deno.test("createBulk() takes TCP for little where the path may be near: of small files no more is under way", () => {
  for (const rttMs of [0.3, 9]) {
    const path = { rttMs, quic: 1e5, tcp: 3e5, pendingBytes: 9 * MIB };
    assertEquals(play(path, 30).dials, [0]);
  }
});

Deno.test("createBulk() begins by TCP on a path of some length, and keeps what QUIC could hardly carry", () => {
  const { used, dials } = play({ rttMs: 15, quic: 5e4, tcp: 1.2e5 }, 60);
  assertEquals(dials, [0]);
  assertEquals(count(used, "quic"), 1);
});

Deno.test("createBulk() has QUIC show what it can do where TCP does little, and keeps TCP when it was clearly faster", () => {
  const { used, dials } = play({ rttMs: 15, quic: 5e3, tcp: 1.5e4 }, 60);
  assertEquals(dials.length, 2);
  assertEquals(used.lastIndexOf("quic") * 50 < 2000, true);
});

Deno.test("createBulk() leaves to QUIC what TCP does no faster, and tries again later and later", () => {
  const { used, dials } = play({ rttMs: 15, quic: 1e4, tcp: 1e4 }, 120);
  assertEquals(dials.length >= 3 && dials.length <= 5, true);
  assertEquals(count(used, "tcp") < used.length / 20, true);
});

Deno.test("createBulk() lets TCP finish what it has where it is not faster, and takes it away where it stands still", () => {
  for (const [rate, verdict] of [[1e3, "retire"], [5e4, "back"]] as const) {
    const bulk = createBulk();
    const at = { rttMs: 15, pendingBytes: 1e12, isAlone: true };
    assertEquals(bulk.sample({ ...at, nowMs: 0, receivedBytes: 0 }), "try");
    bulk.joined();
    const verdicts = new Set<string>();
    for (let nowMs = 50; bulk.isUsed && nowMs < 10_000; nowMs += 50) {
      const receivedBytes = Math.min(nowMs, 2000) * rate; // then no more
      verdicts.add(bulk.sample({ ...at, nowMs, receivedBytes }));
    }
    assertEquals(verdicts, new Set(["keep", verdict]));
  }
});

Deno.test("createBulk() does not wait for TCP that retired when QUIC is far faster", () => {
  for (const [quic, verdict] of [[5e3, "back"], [1.5e3, "keep"]] as const) {
    const bulk = createBulk();
    const at = { rttMs: 15, pendingBytes: 1e12, isAlone: true };
    assertEquals(bulk.sample({ ...at, nowMs: 0, receivedBytes: 0 }), "try");
    bulk.joined();
    let receivedBytes = 0;
    const told: string[] = [];
    for (let nowMs = 50; nowMs < 5000; nowMs += 50) {
      receivedBytes += 50 * (bulk.isUsed ? 1e3 : quic);
      told.push(bulk.sample({ ...at, nowMs, receivedBytes }));
    }
    const after = told.slice(told.indexOf("retire") + 1);
    assertEquals(new Set(after), new Set(["keep", verdict]));
  }
});

Deno.test("createBulk() does not take for QUIC's what TCP still brings when it retired", () => {
  const bulk = createBulk();
  const at = { rttMs: 15, pendingBytes: 1e12, isAlone: true };
  let receivedBytes = 0;
  let retiredMs = Infinity;
  const told: string[] = [];
  for (let nowMs = 0; nowMs < 2500; nowMs += 50) {
    const verdict = bulk.sample({ ...at, nowMs, receivedBytes });
    told.push(verdict);
    if (verdict === "try") bulk.joined();
    if (verdict === "retire") retiredMs = nowMs;
    const isLate = nowMs >= retiredMs && nowMs < retiredMs + 400;
    receivedBytes += 50 * (isLate ? 2e4 : bulk.isUsed ? 1e3 : 5e2);
  }
  assertEquals(told.filter((one) => one !== "keep"), ["try", "retire", "try"]);
});

Deno.test("createBulk() goes back within 2 s when TCP stands still, and when it has become slow", () => {
  for (const after of [0, 1e3]) {
    const { used } = play({
      rttMs: 0.3,
      quic: 2e5,
      tcp: (ms) => ms < 5000 ? 8e5 : after,
    }, 9.5);
    assertEquals(
      used.lastIndexOf("tcp") * 50 <= (after === 0 ? 7100 : 9000),
      true,
    );
    assertEquals(used.at(-1), "quic");
  }
});

Deno.test("createBulk() holds back what goes by QUIC for the moment that a dial takes", () => {
  const bulk = createBulk();
  assertEquals(bulk.holdsBack(0), false);
  const at = { receivedBytes: 0, rttMs: 20, pendingBytes: 1e12 };
  bulk.sample({ ...at, nowMs: 0, isAlone: false });
  assertEquals(bulk.holdsBack(150), true);
  assertEquals(bulk.holdsBack(250), false);
  bulk.joined();
  assertEquals(bulk.holdsBack(150), false);
});

Deno.test("createBulk() is not misled by a transfer that waits for its source", () => {
  const bulk = createBulk();
  const at = { nowMs: 0, receivedBytes: 0, rttMs: 0.3, pendingBytes: 1e12 };
  assertEquals(bulk.sample({ ...at, isAlone: false }), "try");
  bulk.joined();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 50) {
    assertEquals(
      bulk.sample({ ...at, nowMs, pendingBytes: 0, isAlone: true }),
      "keep",
    );
  }
});

Deno.test("createBulk() tries a way that there is not ever more seldom", () => {
  const { used, dials } = play({
    rttMs: 0.3,
    quic: 2e5,
    tcp: 8e5,
    dialMs: Infinity,
  }, 120);
  assertEquals(count(used, "tcp"), 0);
  // After 1 s, as the first may have had bad luck, then 2 s, 4 s and so on.
  assertEquals(dials.map((ms) => Math.round(ms / 1000)), [
    ...[0, 1, 3, 7, 15, 32, 64],
  ]);
});
