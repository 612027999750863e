/**
 * Transfers over TLS and TCP: where UDP does not pass, and with all that must
 * hold over QUIC too.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { SftpxError } from "../../core/errors.ts";
import type { TransferEvent } from "../../core/events.ts";
import { secret } from "../../core/secret.ts";
import { tcpProxy } from "../testutil/tcp_proxy.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { kill, MIB, namesIn, openEnds, reached } from "./kit.ts";
import { library } from "./library.ts";

const TREE = {
  "a/first": 1000,
  "a/none": { kind: "dir" },
  "b.bin": 6 * MIB + 1,
  "c/empty": 0,
} as const;

/** Those of a type, of what was told. */
function only<T extends TransferEvent["type"]>(
  events: readonly TransferEvent[],
  type: T,
): Extract<TransferEvent, { type: T }>[] {
  return events.filter((event) => event.type === type) as never;
}

Deno.test("where UDP does not pass a transfer goes over TCP, in time, and says so in one line", async () => {
  await using lib = await library({ carrier: "tcp" }); // nobody answers by UDP
  await makeTree(`${lib.dir}/src`, TREE);
  const events: TransferEvent[] = [];
  let connectedMs = Infinity;
  const began = performance.now();
  const { totals } = await lib.send("src", {
    onEvent(event) {
      events.push(event);
      if (event.type === "connected") connectedMs = performance.now() - began;
    },
  });
  assertEquals(totals.failed, 0);
  assertEquals(
    await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
    [],
  );
  assert(connectedMs < 3000, `it took ${connectedMs} ms to connect`);
  assertEquals(only(events, "connected").map((e) => e.carrier), ["tcp"]);
  assertEquals(only(events, "warning").map((e) => e.message), [
    "UDP does not pass, using TCP",
  ]);
});

Deno.test("where UDP passes TCP is not used, and either can be asked for", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, TREE);
  for (
    const [carrier, used] of [
      ["auto", "quic"],
      ["tcp", "tcp"],
      ["quic", "quic"],
    ] as const
  ) {
    const events: TransferEvent[] = [];
    await lib.send("src", { carrier, onEvent: (event) => events.push(event) });
    assertEquals(only(events, "connected").map((e) => e.carrier), [used]);
    assertEquals(only(events, "warning"), []);
  }
  assertEquals(only(lib.events, "warning"), []);
});

Deno.test("a receiver that cannot have the TCP port says so, and receives by QUIC", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  await using lib = await library({ bind: `127.0.0.1:${port}` });
  await makeTree(`${lib.dir}/src`, TREE);
  const { totals } = await lib.send("src");
  assertEquals(totals.failed, 0);
  const [warning] = only(lib.events, "warning");
  assert(warning?.message.startsWith("over UDP only: "), warning?.message);
  taken.close();
});

Deno.test("over TCP, too, nothing of a file is said to a stranger, or taken from one", async () => {
  await using lib = await library({ carrier: "tcp" });
  await using other = await library({ carrier: "tcp" });
  await makeTree(`${lib.dir}/src`, TREE);
  const to = {
    address: lib.receiver.address,
    fingerprint: lib.receiver.fingerprint,
    token: secret(new Uint8Array(32)),
  };
  const wrongs = [
    to, // without the token
    { ...to, fingerprint: new Uint8Array(32) }, // another receiver
  ];
  for (const wrong of wrongs) {
    for (const carrier of ["auto", "tcp"] as const) {
      const error = await assertRejects(() =>
        lib.send("src", { to: wrong, carrier })
      ) as SftpxError;
      assertEquals(error.code, "unauthorized", error.message);
    }
  }
  assertEquals(await namesIn(`${lib.dir}/uploads`), []);
  assertEquals(only(other.events, "started"), []);
});

Deno.test("a line of TCP that breaks and comes back costs what was under way", async () => {
  await using lib = await library({ carrier: "tcp" });
  await makeTree(`${lib.dir}/src`, { "b.bin": 32 * MIB });
  const port = Number(lib.receiver.address.split(":").at(-1));
  const line = tcpProxy({ hostname: "127.0.0.1", port });
  const events: TransferEvent[] = [];
  let cuts = 0;
  const { totals } = await lib.send("src", {
    address: `127.0.0.1:${line.port}`,
    carrier: "tcp",
    limitRate: 8 * MIB,
    onEvent(event) {
      events.push(event);
      const isDue = event.type === "progress" && event.bytes > 0 &&
        event.bytes < event.total && cuts < 2 &&
        only(events, "connected").length > cuts;
      if (isDue) {
        cuts++;
        line.cut();
      }
    },
  });
  assertEquals(cuts, 2);
  assertEquals(only(events, "connected").map((e) => e.resumed), [
    false,
    true,
    true,
  ]);
  assert(totals.sent <= 32 * MIB + 2 * 8 * MIB, `${totals.sent} bytes went`);
  assertEquals(
    await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
    [],
  );
  await line.close();
});

for (const who of ["receiver", "sender", "both"] as const) {
  Deno.test(`over TCP, killed in the first file, ${who}: the rest arrives, and what was there is kept`, async () => {
    const tcp = ["--carrier", "tcp"];
    await using ends = await openEnds({ "b.bin": 24 * MIB, "e": "the last" }, {
      send: [...tcp, "--limit-rate", "6M"],
      recv: tcp,
    });
    let receiver = await ends.recv();
    let sender = ends.send();
    await reached(sender, 8 * MIB);
    if (who !== "sender") await kill(receiver);
    if (who !== "receiver") await kill(sender);
    if (who !== "sender") receiver = await ends.recv();
    if (who !== "receiver") sender = ends.send();
    const totals = await ends.finish(sender, receiver);
    if (who !== "receiver") {
      assert(totals.reused >= 4 * MIB, `${totals.reused} bytes were kept`);
    }
    await ends.check();
  });
}
