/**
 * Chunks over TCP beside QUIC: on a path as short as this one they all go there,
 * and whatever becomes of TCP, the transfer goes on as if nothing was.
 */
import { assert, assertEquals } from "@std/assert";
import type { TransferEvent } from "../../core/events.ts";
import { freePort } from "../testutil/port.ts";
import { within } from "../testutil/deadline.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import { type TcpProxy, tcpProxy } from "../testutil/tcp_proxy.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { MIB } from "./kit.ts";
import { library } from "./library.ts";

const SIZE = 48 * MIB;
/** On a machine that is busy even this path seems long. */
const ALWAYS = { nearMs: Infinity, shortMs: Infinity };

/** Sends a file by QUIC, with TCP over a line; `passed` is told what went over it. */
async function overLine(
  passed: (bytes: number, line: TcpProxy) => void,
): Promise<{ readonly overTcp: number; readonly sent: number }> {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { "big": SIZE, "small/a": 100 });
  const port = Number(lib.receiver.address.split(":").at(-1));
  const target = { hostname: "127.0.0.1", port };
  // QUIC is slow until TCP has had its part, however busy the machine is.
  const udp = await faultProxy({ target, keep: 0 });
  await udp.set("both", { bytesPerSecond: 12 * MIB, queueBytes: 2 * MIB });
  const line = tcpProxy(target, (bytes) => {
    passed(bytes, line);
    if (bytes > 8 * MIB) udp.set("both", { bytesPerSecond: 0 });
  });
  const events: TransferEvent[] = [];
  const sending = lib.send("src", {
    address: `127.0.0.1:${udp.port}`,
    inside: { tcpPort: line.port, bulk: ALWAYS },
    onEvent: (event) => events.push(event),
  });
  const { totals } = await within(120_000, "the transfer", sending);
  await line.close();
  await udp.close();
  const connected = events.filter((e) => e.type === "connected");
  assertEquals(connected.map(({ carrier }) => carrier), ["quic"]);
  assertEquals(events.filter(({ type }) => type === "reconnecting"), []);
  assertEquals(totals.failed, 0);
  assertEquals(
    await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
    [],
  );
  return { overTcp: line.passedBytes, sent: totals.sent };
}

Deno.test("on a short path chunks go over TCP beside QUIC", async () => {
  const { overTcp, sent } = await overLine(() => {});
  assert(overTcp > SIZE / 4, `${overTcp} bytes went over TCP`);
  assertEquals(sent, SIZE + 100); // and nothing twice
});

Deno.test("when TCP breaks in the middle, what it had goes by QUIC", async () => {
  let isCut = false;
  const { overTcp } = await overLine((bytes, line) => {
    if (isCut || bytes < 8 * MIB) return;
    isCut = true;
    line.cut();
  });
  assert(isCut && overTcp < SIZE, `${overTcp} bytes went over TCP`);
});

Deno.test("when TCP stands still in the middle, what it had goes by QUIC", async () => {
  let isFrozen = false;
  const { overTcp } = await overLine((bytes, line) => {
    if (isFrozen || bytes < 8 * MIB) return;
    isFrozen = true;
    line.freeze(true);
  });
  assert(isFrozen && overTcp < SIZE, `${overTcp} bytes went over TCP`);
});

Deno.test("where TCP is slow the rest goes by QUIC, and what TCP has is not waited for", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { "big": SIZE });
  const port = Number(lib.receiver.address.split(":").at(-1));
  const target = { hostname: "127.0.0.1", port };
  const line = tcpProxy(target, () => {}, 2 * MIB);
  // QUIC has something to show for a while.
  const udp = await faultProxy({ target, keep: 0 });
  await udp.set("both", { bytesPerSecond: 12 * MIB, queueBytes: 2 * MIB });
  await within(
    120_000,
    "the transfer",
    lib.send("src", {
      address: `127.0.0.1:${udp.port}`,
      inside: { tcpPort: line.port, bulk: { ...ALWAYS, nearMs: 0 } },
    }),
  );
  const overTcp = line.passedBytes;
  await line.close();
  await udp.close();
  assert(overTcp > MIB && overTcp < SIZE / 4, `${overTcp} bytes over TCP`);
  assertEquals(
    await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
    [],
  );
});

Deno.test("where no TCP passes, or it is not wanted, chunks go by QUIC and nobody is bothered", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { "big": 48 * MIB });
  const line = tcpProxy({ hostname: "127.0.0.1", port: freePort() });
  for (const carrier of ["auto", "quic"] as const) {
    const events: TransferEvent[] = [];
    const { totals } = await lib.send("src", {
      carrier,
      fresh: true,
      inside: {
        tcpPort: carrier === "quic" ? line.port : freePort(),
        bulk: ALWAYS,
      },
      onEvent: (event) => events.push(event),
    });
    assertEquals(totals.failed, 0);
    assertEquals(events.filter(({ type }) => type === "warning"), []);
  }
  assertEquals(line.passedBytes, 0);
  await line.close();
});
