/** A receiver where senders come in on threads of their own. */
import { assert, assertEquals } from "@std/assert";
import { codeOf } from "../../core/errors.ts";
import { systemClock } from "../../core/clock.ts";
import { greetAgain } from "../../actors/greeting.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { endpointPool, quicDialer } from "../../transport/quic.ts";
import { createLaneThreads } from "../../workers/lane_threads.ts";
import { secret } from "../../core/secret.ts";
import { MIB } from "../faults/kit.ts";
import { CERTIFICATE, library } from "../faults/library.ts";
import { within } from "../testutil/deadline.ts";
import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";
import { growTo, keptLog } from "../faults/side.ts";
import { growUntil, slowUntil, watchWorkers } from "./kit.ts";

const TREE: TreeSpec = {
  "a": 21 * MIB,
  "b": 33 * MIB + 17,
  "c": MIB,
  "d": 64 * 1024 + 1,
  "e": 5 * MIB - 1,
  "empty": "",
  "small/1": 1,
  "small/2": 4096,
  "z": 3 * MIB,
};

Deno.test("threads: all of a transfer can come in on another thread", async () => {
  const watched = watchWorkers();
  const threads = createLaneThreads({
    clock: systemClock,
    max: 1,
    spawn: watched.spawn,
  });
  const { cert, key } = CERTIFICATE;
  const listener = await threads.listen({
    carrier: "quic",
    hostname: "127.0.0.1",
    ports: [0],
    alpn: "sftpx/1",
    cert,
    key: new TextEncoder().encode(key),
    limits: { maxHandshakes: 32, maxWaiting: 16 },
    quic: {},
    tls: {},
  });
  await using lib = await library({ listener });
  await makeTree(`${lib.dir}/src`, {
    "a": 20 * MIB + 3,
    "b": 7 * MIB,
    "c": MIB,
    "empty": "",
    "small/1": 1,
    "small/2": 4096,
  });
  const sending = lib.send("src", { carrier: "quic" });
  const { totals } = await within(60_000, "the transfer", sending);
  assertEquals(totals.failed, 0);
  const places = watched.count("place");
  assert(places >= 28, `${places} chunks were written there`);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  await lib.receiver.close();
  await threads.close();
});

for (const threads of [0, 2]) {
  const where = threads > 0 ? "at both ends" : "at the receiver";
  Deno.test(`threads: further connections come in on threads ${where}, and all of it arrives`, async () => {
    const watched = watchWorkers();
    const [here, there] = [keptLog(), keptLog()];
    await using lib = await library(
      { carrier: "quic", threads: 2, log: there },
      { spawnThread: watched.spawn },
    );
    await makeTree(`${lib.dir}/src`, TREE);
    const line = await slowUntil(
      lib.receiver.address,
      () => watched.count("place") >= 4,
      watched,
    );
    const sending = lib.send("src", {
      address: line.address,
      carrier: "quic",
      threads,
      connections: 8,
      b3sum: true,
      log: here,
      inside: { growth: growUntil(() => watched.count("place") >= 4) },
    });
    const { totals } = await within(100_000, "the transfer", sending);
    await line.close();
    assertEquals(totals.failed, 0);
    assertEquals(here.named("thread.connected").length >= threads, true);
    assertEquals(here.named("side-port.unreachable"), []);
    assertEquals(there.named("side-port.open").length >= 2, true);
    assertEquals(
      await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
      [],
    );
    const last = lib.events.at(-1);
    assert(last?.type === "done" && last.totals.failed === 0);
  });
}

for (
  const [how, kill] of [
    ["is ended", (worker: Worker) => worker.terminate()],
    [
      "dies of an error",
      (worker: Worker) => Worker.prototype.postMessage.call(worker, null),
    ],
  ] as const
) {
  Deno.test(`threads: what a receiver's thread had that ${how} comes another way`, async () => {
    let killed = 0;
    const watched = watchWorkers();
    watched.onCall((worker, { call }) => {
      // It has been told where to write, and nobody hears whether it did.
      if (call !== "place" || killed++ !== 3) return;
      queueMicrotask(() => kill(worker));
    });
    await using lib = await library(
      { carrier: "quic", threads: 1 },
      { spawnThread: watched.spawn },
    );
    await makeTree(`${lib.dir}/src`, TREE);
    const line = await slowUntil(
      lib.receiver.address,
      () => killed > 3,
      watched,
    );
    const sending = lib.send("src", {
      address: line.address,
      carrier: "quic",
      connections: 8,
      inside: { growth: growUntil(() => killed > 3) },
    });
    const { totals } = await within(100_000, "the transfer", sending);
    await line.close();
    assert(killed > 3);
    assertEquals(totals.failed, 0);
    assertEquals(
      await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
      [],
    );
    assertEquals(lib.events.filter(({ type }) => type === "failed"), []);
  });
}

Deno.test("threads: who comes in by one without the token is turned away", async () => {
  const there = keptLog();
  await using lib = await library({
    carrier: "quic",
    threads: 1,
    log: there,
  });
  await makeTree(`${lib.dir}/src`, { "a": 40 * MIB });
  const sending = lib.send("src", {
    carrier: "quic",
    connections: 2,
    limitRate: 20 * MIB,
    inside: { growth: growTo() },
  });
  sending.catch(() => {});
  const [opened] = await within(
    60_000,
    "the port",
    there.waitFor("side-port.open"),
  );
  const endpoints = endpointPool();
  const { fingerprint } = lib.receiver;
  const dialer = quicDialer({
    hostname: "127.0.0.1",
    port: Number(opened?.fields.port),
    fingerprint,
    alpn: "sftpx/1",
    endpoint: endpoints,
  });
  const signal = AbortSignal.timeout(60_000);
  const conn = await dialer.dial(signal);
  const stranger = await greetAgain(
    conn,
    {
      session: new Uint8Array(32),
      life: new Uint8Array(16),
      attempt: 1,
      fingerprint,
      token: secret(new Uint8Array(32).fill(99)),
      randomBytes: systemRandomBytes,
      clock: systemClock,
    },
    1,
    signal,
  ).then(() => "it was let in", codeOf);
  conn.close();
  endpoints.close();
  assertEquals(stranger, "unauthorized");
  await within(100_000, "the transfer", sending);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
});
