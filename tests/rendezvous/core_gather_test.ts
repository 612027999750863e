import { assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { interfaceSource } from "../../rendezvous/candidates.ts";
import { gatherAll } from "../../rendezvous/gather.ts";
import type {
  Candidate,
  CandidateSource,
  GatherContext,
} from "../../rendezvous/types.ts";
import type { Endpoint } from "../../transport/quic.ts";
import { settle } from "../testutil/fake_clock.ts";

const ANY = { policy: "any", carrier: "auto" } as const;

/** Two sockets, of which only ports are asked. */
const CONTEXT: GatherContext = {
  role: "sender",
  endpoints: [
    { family: 4, port: 40 },
    { family: 6, port: 60 },
  ] as unknown as readonly Endpoint[],
  tcpPort: 40,
  clock: systemClock,
  log: nullLog,
  randomBytes: systemRandomBytes,
};

/** Gathers for one peer, and gives what it is told by then. */
async function told(
  gathered: ReturnType<typeof gatherAll>,
  observed = "",
): Promise<string[]> {
  const all: string[] = [];
  const over = new AbortController();
  // deno-lint-ignore require-await -- as one that tells
  const running = gathered.each(observed, async (candidate) => {
    const { kind, carrier, hostname, port } = candidate;
    all.push(`${kind} ${carrier} ${hostname} ${port}`);
  }, over.signal);
  await settle();
  over.abort();
  await running;
  return all;
}

Deno.test("gather: a machine that has moved tells each peer where it is now", async () => {
  let addresses = ["127.0.0.1", "10.0.0.7", "fe80::1%eth0", "2001:db8::7"];
  const stop = new AbortController();
  const gathered = gatherAll(
    interfaceSource(() => addresses),
    [],
    CONTEXT,
    ANY,
    stop.signal,
  );
  assertEquals(await told(gathered, "192.0.2.1:5000"), [
    "lan quic 10.0.0.7 40",
    "lan tcp 10.0.0.7 40",
    "host quic 2001:db8::7 60",
    "reflexive quic 192.0.2.1 5000",
  ]);
  addresses = ["172.16.0.9"];
  assertEquals(await told(gathered, "198.51.100.1:6000"), [
    "lan quic 172.16.0.9 40",
    "lan tcp 172.16.0.9 40",
    "reflexive quic 198.51.100.1 6000",
  ]);
  stop.abort();
});

Deno.test("gather: a source that is slow holds up nobody, and one that fails is left out", async () => {
  const late = Promise.withResolvers<void>();
  const mapped: Candidate = {
    kind: "mapped",
    carrier: "quic",
    hostname: "203.0.113.7",
    port: 7,
  };
  const slow: CandidateSource = {
    name: "slow",
    async *gather() {
      await late.promise;
      yield mapped;
      yield mapped;
    },
  };
  const broken: CandidateSource = {
    name: "broken",
    // deno-lint-ignore require-yield -- it fails first
    async *gather() {
      await Promise.resolve();
      throw new Error("no router");
    },
  };
  const stop = new AbortController();
  const gathered = gatherAll(
    interfaceSource(() => ["10.0.0.7"]),
    [slow, broken],
    CONTEXT,
    { ...ANY, carrier: "quic" },
    stop.signal,
  );
  assertEquals(await told(gathered), ["lan quic 10.0.0.7 40"]);
  late.resolve();
  await settle();
  assertEquals(await told(gathered), [
    "lan quic 10.0.0.7 40",
    "mapped quic 203.0.113.7 7",
  ]);
  stop.abort();
});

Deno.test("gather: what the policy leaves out is not told", async () => {
  const stop = new AbortController();
  const gathered = gatherAll(
    interfaceSource(() => ["10.0.0.7", "2001:db8::7"]),
    [],
    CONTEXT,
    { policy: "lan-only", carrier: "quic" },
    stop.signal,
  );
  assertEquals(await told(gathered, "192.0.2.1:5000"), [
    "lan quic 10.0.0.7 40",
  ]);
  stop.abort();
});

Deno.test("gather: what the helper says of an address is a hint, and nonsense is none", async () => {
  const stop = new AbortController();
  const gathered = gatherAll(
    interfaceSource(() => []),
    [],
    CONTEXT,
    ANY,
    stop.signal,
  );
  for (
    const nonsense of [
      "",
      "x",
      "127.0.0.1:1",
      "224.0.0.1:1",
      "0.0.0.0:1",
      "[::]:1",
      "host.example:1",
      "192.0.2.1:0",
      "192.0.2.1",
    ]
  ) {
    assertEquals(await told(gathered, nonsense), [], nonsense);
  }
  stop.abort();
});

Deno.test("gather: a machine without a network has itself", async () => {
  const stop = new AbortController();
  const gathered = gatherAll(
    interfaceSource(() => ["127.0.0.1", "fe80::1"]),
    [],
    CONTEXT,
    { ...ANY, carrier: "quic" },
    stop.signal,
  );
  assertEquals(await told(gathered), ["lan quic 127.0.0.1 40"]);
  const cable = gatherAll(
    interfaceSource(() => ["127.0.0.1", "169.254.3.4", "fe80::1"]),
    [],
    CONTEXT,
    { ...ANY, carrier: "quic" },
    stop.signal,
  );
  assertEquals(await told(cable), ["lan quic 169.254.3.4 40"]);
  stop.abort();
});
