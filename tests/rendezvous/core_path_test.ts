import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { systemRandomBytes as random } from "../../crypto/random.ts";
import {
  isAllowed,
  isUsable,
  pathOf,
  readCandidate,
  writeCandidate,
} from "../../rendezvous/candidates.ts";
import {
  type PathProofOptions,
  proveAccepted,
  proveDialed,
} from "../../rendezvous/path_proof.ts";
import { race, type RaceOptions } from "../../rendezvous/race.ts";
import type { Arrival } from "../../rendezvous/station.ts";
import {
  type Candidate,
  CANDIDATE_KINDS,
  type CandidateKind,
} from "../../rendezvous/types.ts";
import { createReader, createWriter } from "../../protocol/cursor.ts";
import { memoryNetwork } from "../../transport/memory.ts";
import type { Conn } from "../../transport/transport.ts";
import { within } from "../testutil/deadline.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { forAll, intBetween, randomBytes } from "../testutil/random.ts";

const NEVER = new AbortController().signal;
const FINGERPRINT = new Uint8Array(32).fill(1);
const KEYS = { path: new Uint8Array(32).fill(2) };

function proof(options: Partial<PathProofOptions>): PathProofOptions {
  return {
    role: "sender",
    keys: KEYS,
    fingerprint: FINGERPRINT,
    random,
    clock: systemClock,
    ...options,
  };
}

/** Two ends of a connection. */
async function connect(): Promise<[Conn, Conn]> {
  const net = memoryNetwork();
  const listener = net.listen("a");
  const [dialed, accepted] = await Promise.all([
    net.dialer("a").dial(NEVER),
    listener.accept(),
  ]);
  assert(accepted !== undefined);
  return [dialed, accepted];
}

Deno.test("path: both ends prove themselves, whoever of them dialed, and the connection is as good as new", async () => {
  for (const role of ["sender", "receiver"] as const) {
    const other = role === "sender" ? "receiver" : "sender";
    const [dialed, accepted] = await connect();
    await Promise.all([
      proveDialed(dialed, proof({ role }), NEVER),
      proveAccepted(accepted, proof({ role: other }), NEVER),
    ]);
    const stream = await accepted.openBidi();
    await stream.send.write(Uint8Array.of(7));
    const heard = await (await dialed.acceptBidi())?.receive
      .readSome(new Uint8Array(1));
    assertEquals(heard, Uint8Array.of(7));
  }
});

Deno.test("path: another key, another certificate or one's own role is refused", async () => {
  const cases: [string, Partial<PathProofOptions>][] = [
    ["key", { role: "receiver", keys: { path: new Uint8Array(32) } }],
    ["certificate", { role: "receiver", fingerprint: new Uint8Array(32) }],
    ["role", { role: "sender" }],
  ];
  for (const [what, options] of cases) {
    const [dialed, accepted] = await connect();
    const failed = assertRejects(
      () => proveDialed(dialed, proof({}), NEVER),
      SftpxError,
    );
    const error = await assertRejects(
      () => proveAccepted(accepted, proof(options), NEVER),
      SftpxError,
      "not the peer",
    );
    assertEquals(error.code, "unauthorized", what);
    accepted.close("unauthorized");
    await failed;
  }
});

Deno.test("path: one in between who has no key gets nothing to pass on", async () => {
  // S has dialed somebody with another certificate: with its pin it would not
  // have come so far. What it says there is of no use at the receiver.
  const [toMiddle, atMiddle] = await connect();
  const [fromMiddle, atReceiver] = await connect();
  const other = new Uint8Array(32).fill(9);
  proveDialed(toMiddle, proof({ fingerprint: other }), NEVER).catch(() => {});
  const stolen = await atMiddle.acceptBidi();
  const bytes = await stolen?.receive.readFully(new Uint8Array(49));
  assert(bytes?.length === 49);
  const { send } = await fromMiddle.openBidi();
  await send.write(bytes);
  await send.end();
  await assertRejects(
    () => proveAccepted(atReceiver, proof({ role: "receiver" }), NEVER),
    SftpxError,
    "not the peer",
  );
  toMiddle.close();
});

Deno.test("path: what is cut, longer or noise is refused", async () => {
  for (const length of [0, 1, 48, 50, 1000]) {
    const [dialed, accepted] = await connect();
    const { send } = await dialed.openBidi();
    await send.write(new Uint8Array(length).fill(1));
    await send.end();
    await assertRejects(
      () =>
        within(
          20_000,
          "the proof",
          proveAccepted(accepted, proof({ role: "receiver" }), NEVER),
        ),
      SftpxError,
    );
    dialed.close();
  }
});

/** A race of candidates that a test decides. */
function track(options: Partial<RaceOptions> = {}) {
  const clock = new FakeClock();
  const closed: string[] = [];
  const dialed: string[] = [];
  const arrive = Promise.withResolvers<(arrival: Arrival) => void>();
  const outcomes = new Map<string, () => Promise<void>>();
  const arrivalOf = (candidate: Candidate): Arrival => ({
    candidate,
    conn: {
      remote: candidate.hostname,
      close: () => closed.push(candidate.hostname),
      closed: Promise.resolve({ code: undefined, reason: "", remote: false }),
    } as unknown as Conn,
  });
  const run = (candidates: readonly Candidate[], signal = NEVER) =>
    race({
      candidates: (async function* () {
        yield* candidates;
      })(),
      async dial(candidate) {
        dialed.push(candidate.hostname);
        await (outcomes.get(candidate.hostname) ?? (() => Promise.resolve()))();
        return arrivalOf(candidate);
      },
      hear(put) {
        arrive.resolve(put);
        return () => {};
      },
      policy: "any",
      clock,
      log: nullLog,
      ...options,
    }, signal);
  return {
    clock,
    closed,
    dialed,
    arrive: arrive.promise,
    outcomes,
    run,
    arrivalOf,
  };
}

function candidate(
  hostname: string,
  kind: CandidateKind = "lan",
  carrier: "quic" | "tcp" = "quic",
): Candidate {
  return { kind, carrier, hostname, port: 1 };
}

Deno.test("race: the first that is proved wins, and the others are closed", async () => {
  const t = track();
  const late = Promise.withResolvers<void>();
  t.outcomes.set("192.0.2.1", () => late.promise);
  t.outcomes.set("192.0.2.2", () => Promise.reject(new Error("no")));
  const all = [1, 2, 3].map((n) => candidate(`192.0.2.${n}`));
  const racing = t.run([...all, ...all]); // each is dialed once
  await t.clock.advance(0);
  const { conn } = await racing;
  assertEquals(conn.remote, "192.0.2.3");
  assertEquals(t.dialed, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  late.resolve();
  await settle();
  assertEquals(t.closed, ["192.0.2.1"]);
  assertEquals(t.clock.pending, 0);
});

Deno.test("race: a connection that the peer dialed may win", async () => {
  const t = track();
  t.outcomes.set("192.0.2.1", () => new Promise(() => {}));
  const racing = t.run([candidate("192.0.2.1")]);
  const put = await t.arrive;
  put(t.arrivalOf(candidate("192.0.2.9", "reflexive")));
  put(t.arrivalOf(candidate("192.0.2.8")));
  assertEquals((await racing).conn.remote, "192.0.2.9");
  assertEquals(t.closed, ["192.0.2.8"]);
});

Deno.test("race: TCP and relays give what is better a start", async () => {
  const t = track();
  for (const n of [1, 2, 3, 4]) {
    t.outcomes.set(`192.0.2.${n}`, () => new Promise(() => {}));
  }
  const over = new AbortController();
  const racing = t.run([
    candidate("192.0.2.4", "relay", "tcp"),
    candidate("192.0.2.3", "relay"),
    candidate("192.0.2.2", "lan", "tcp"),
    candidate("192.0.2.1"),
  ], over.signal);
  racing.catch(() => {});
  const dialedAt = async (ms: number): Promise<string> => {
    await t.clock.advance(ms);
    return t.dialed.map((host) => host.slice(-1)).join("");
  };
  assertEquals(await dialedAt(0), "1");
  assertEquals(await dialedAt(1499), "1");
  assertEquals(await dialedAt(1), "12");
  assertEquals(await dialedAt(1000), "123");
  assertEquals(await dialedAt(1500), "1234");
  over.abort(new SftpxError("cancelled", "Cannot go on: enough"));
  await assertRejects(() => racing, SftpxError, "enough");
  assertEquals(t.clock.pending, 0);
});

Deno.test("race: what a policy leaves out is neither dialed nor taken, and the error says so", async () => {
  for (
    const [policy, wanted] of [
      ["lan-only", "1"],
      ["direct-only", "123"],
      ["relay-only", "4"],
    ] as const
  ) {
    const t = track({ policy });
    const all = [
      candidate("192.0.2.1", "lan"),
      candidate("192.0.2.2", "host"),
      candidate("192.0.2.3", "reflexive"),
      candidate("192.0.2.4", "relay"),
    ];
    for (const { hostname } of all) {
      t.outcomes.set(hostname, () => Promise.reject(new Error("no")));
    }
    const racing = t.run(all);
    const failed = assertRejects(() => racing, SftpxError, `--${policy}`);
    const put = await t.arrive;
    for (const one of all) {
      if (!wanted.includes(one.hostname.slice(-1))) put(t.arrivalOf(one));
    }
    await t.clock.advance(10_000);
    await t.clock.advance(15_000);
    assertEquals((await failed).code, "unreachable");
    assertEquals(t.dialed.map((host) => host.slice(-1)).join(""), wanted);
    assertEquals(t.closed.length, 4 - wanted.length);
  }
});

Deno.test("race: where no path leads it ends in time, and says what was tried", async () => {
  const t = track();
  t.outcomes.set("192.0.2.1", () => Promise.reject(new Error("no")));
  const racing = t.run([candidate("192.0.2.1")]);
  const failed = assertRejects(
    () => racing,
    SftpxError,
    "no answer at lan quic 192.0.2.1:1",
  );
  await t.clock.advance(0);
  await t.clock.advance(20_000);
  assertEquals((await failed).code, "unreachable");
});

Deno.test("candidates: what was written reads back, and nothing else does", () => {
  forAll((random): Candidate => ({
    kind: CANDIDATE_KINDS[intBetween(random, 0, 4)] ?? "lan",
    carrier: random() < 0.5 ? "quic" : "tcp",
    hostname: random() < 0.5
      ? [...randomBytes(random, 4)].join(".")
      : `2001:db8::${intBetween(random, 1, 0xffff).toString(16)}`,
    port: intBetween(random, 1, 65_535),
  }), (one) => {
    const bytes = writeCandidate(createWriter("one"), one).finish();
    assertEquals(readCandidate(createReader(bytes, "one")), one);
    for (let cut = 0; cut < bytes.length; cut++) {
      const part = createReader(bytes.subarray(0, cut), "one");
      let error: unknown;
      try {
        readCandidate(part);
      } catch (thrown) {
        error = thrown;
      }
      assert(error instanceof SftpxError && error.code === "protocol");
    }
  });
});

Deno.test("candidates: groups and addresses of nobody are not dialed", () => {
  for (
    const hostname of [
      "0.0.0.0",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "ff02::1",
    ]
  ) {
    assertEquals(isUsable(candidate(hostname)), false, hostname);
  }
  for (const hostname of ["10.0.0.1", "2001:db8::1", "fe80::1", "127.0.0.1"]) {
    assertEquals(isUsable(candidate(hostname)), true, hostname);
  }
});

Deno.test("paths: each kind is what a user is told, and each policy takes its own", () => {
  assertEquals(CANDIDATE_KINDS.map(pathOf), [
    "lan",
    "direct",
    "direct",
    "punched",
    "relayed",
  ]);
  const taken = (policy: Parameters<typeof isAllowed>[0]) =>
    CANDIDATE_KINDS.filter((kind) => isAllowed(policy, pathOf(kind)));
  assertEquals(taken("any"), [...CANDIDATE_KINDS]);
  assertEquals(taken("lan-only"), ["lan"]);
  assertEquals(taken("relay-only"), ["relay"]);
  assertEquals(taken("direct-only").includes("relay"), false);
});
