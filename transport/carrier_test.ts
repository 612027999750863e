import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, SftpxError } from "../core/errors.ts";
import { FakeClock, settle } from "../tests/testutil/fake_clock.ts";
import { carrierDialer, combineListeners } from "./carrier.ts";
import { memoryNetwork } from "./memory.ts";
import type { Carrier, Conn, Dialer } from "./transport.ts";

const NEVER = new AbortController().signal;

/** A network with one receiver, that a carrier reaches after a while or not at all. */
function world() {
  const clock = new FakeClock();
  const network = memoryNetwork();
  const listener = network.listen("far:1");
  const dials: string[] = [];
  const aborted: Carrier[] = [];
  const made: Conn[] = [];
  const fate: Record<Carrier, number | ErrorCode | "silent"> = {
    quic: 10,
    tcp: 10,
  };
  const dialer = (carrier: Carrier): Dialer => ({
    async dial(signal) {
      dials.push(`${carrier} at ${clock.now()}`);
      const what = fate[carrier];
      signal.addEventListener("abort", () => aborted.push(carrier));
      if (typeof what !== "number" && what !== "silent") {
        await clock.delay(5, signal);
        throw new SftpxError(what, `Cannot dial: ${carrier} says ${what}`);
      }
      // One that is late cannot be given up, as on the platform.
      await clock.delay(what === "silent" ? 10_000 : what);
      if (what === "silent") throw new SftpxError("unreachable", "no answer");
      const conn = await network.dialer("far:1").dial(NEVER);
      made.push(conn);
      return { ...conn, carrier };
    },
  });
  const changes: Carrier[] = [];
  const both = carrierDialer({
    quic: dialer("quic"),
    tls: dialer("tcp"),
    graceMs: 1000,
    onChange: (carrier) => changes.push(carrier),
    clock,
  });
  return { clock, both, fate, dials, aborted, made, changes, dialer, listener };
}

/** Dials and lets time pass. */
async function taken(
  { both, clock }: ReturnType<typeof world>,
): Promise<Carrier | ErrorCode | undefined> {
  const dialing = both.dial(NEVER).then(
    ({ carrier }) => carrier,
    (error: SftpxError) => error.code,
  );
  for (let i = 0; i < 30; i++) await clock.advance(500);
  return await dialing;
}

Deno.test("carrier: where UDP passes TCP is not dialed", async () => {
  const w = world();
  assertEquals(await taken(w), "quic");
  assertEquals(w.dials, ["quic at 0"]);
  assertEquals(w.changes, []);
});

Deno.test("carrier: where UDP does not pass TCP is taken after a grace, and said so once", async () => {
  const w = world();
  w.fate.quic = "silent";
  assertEquals(await taken(w), "tcp");
  assertEquals(w.dials, ["quic at 0", "tcp at 1000"]);
  assertEquals(await taken(w), "tcp");
  assertEquals(w.dials.length, 3); // TCP at once
  assertEquals(w.changes, ["tcp"]);
});

Deno.test("carrier: QUIC that fails at once does not cost the grace", async () => {
  const w = world();
  w.fate.quic = "unreachable";
  assertEquals(await taken(w), "tcp");
  assertEquals(w.dials, ["quic at 0", "tcp at 5"]);
});

Deno.test("carrier: QUIC that is slow and TCP that is slower give QUIC, and TCP is closed", async () => {
  const w = world();
  w.fate.quic = 1500;
  w.fate.tcp = 800;
  assertEquals(await taken(w), "quic");
  await settle();
  assertEquals(w.made.length, 2);
  assertEquals((await w.made[1]?.closed)?.remote, false); // closed by us
  assert(w.aborted.includes("tcp"));
});

Deno.test("carrier: when UDP comes back it is found where TCP fails", async () => {
  const w = world();
  w.fate.quic = "silent";
  await taken(w);
  w.fate.quic = 10;
  w.fate.tcp = "silent";
  assertEquals(await taken(w), "quic");
  assertEquals(w.changes, ["tcp", "quic"]);
});

Deno.test("carrier: what QUIC refuses is not tried over TCP", async () => {
  for (const code of ["unauthorized", "protocol", "peer-busy"] as const) {
    const w = world();
    w.fate.quic = code;
    assertEquals(await taken(w), code);
    assertEquals(w.dials, ["quic at 0"]);
  }
});

Deno.test("carrier: a stranger over TCP is final, unless QUIC comes", async () => {
  const w = world();
  w.fate.quic = "silent";
  w.fate.tcp = "unauthorized";
  assertEquals(await taken(w), "unauthorized");
  const other = world();
  other.fate.quic = 2000;
  other.fate.tcp = "unauthorized";
  assertEquals(await taken(other), "quic");
});

Deno.test("carrier: where QUIC has worked, a stranger on the TCP port ends nothing", async () => {
  const w = world();
  assertEquals(await taken(w), "quic");
  w.fate.quic = "silent";
  w.fate.tcp = "unauthorized";
  assertEquals(await taken(w), "unreachable");
});

Deno.test("carrier: a dial that is given up closes what comes too late", async () => {
  const w = world();
  const given = new AbortController();
  w.fate.quic = 50;
  const dialing = w.both.dial(given.signal);
  dialing.catch(() => {});
  await w.clock.advance(20);
  given.abort(new Error("enough"));
  await w.clock.advance(2000);
  await assertRejects(() => dialing, Error, "enough");
  assertEquals((await w.made[0]?.closed)?.remote, false);
  assertEquals(w.clock.pending, 0);
});

Deno.test("carrier: one that is asked for is the only one", async () => {
  for (const mode of ["quic", "tcp"] as const) {
    const w = world();
    w.fate.quic = w.fate.tcp = "unreachable";
    const one = carrierDialer({
      quic: w.dialer("quic"),
      tls: w.dialer("tcp"),
      mode,
      clock: w.clock,
    });
    const dialing = assertRejects(() => one.dial(NEVER), SftpxError);
    await w.clock.advance(5000);
    await dialing;
    assertEquals(w.dials, [`${mode} at 0`]);
  }
});

Deno.test("combineListeners() takes from each, and ends when all have", async () => {
  const network = memoryNetwork({ maxWaiting: 2 });
  const [one, two] = [network.listen("one:1"), network.listen("two:1")];
  const both = combineListeners(one, two);
  assertEquals(both.address, "one:1");
  const first = both.accept();
  await network.dialer("two:1").dial(NEVER);
  assertEquals((await first)?.remote, "memory:1");
  await network.dialer("one:1").dial(NEVER);
  assertEquals((await both.accept())?.remote, "memory:2");
  two.close();
  const last = both.accept();
  await network.dialer("one:1").dial(NEVER);
  assertEquals((await last)?.remote, "memory:3");
  both.close();
  assertEquals(await both.accept(), undefined);
});

Deno.test("combineListeners() leaves the limits of each as they are", async () => {
  const network = memoryNetwork({ maxWaiting: 2 });
  const both = combineListeners(
    network.listen("one:1"),
    network.listen("two:1"),
  );
  const accepting = both.accept(); // asks both, and takes one
  await network.dialer("one:1").dial(NEVER);
  await accepting;
  const waiting: Conn[] = [];
  const error = await assertRejects(async () => {
    for (;;) waiting.push(await network.dialer("two:1").dial(NEVER));
  }, SftpxError);
  assertEquals(error.code, "peer-busy");
  assertEquals(waiting.length, 3); // one in hand, two that wait
  both.close();
  for (const conn of waiting) {
    assertEquals((await conn.closed).code, "peer-busy");
  }
});
