import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { settle } from "../tests/testutil/fake_clock.ts";
import {
  type MemoryNetwork,
  memoryNetwork,
  type MemoryNetworkOptions,
} from "./memory.ts";
import type { Conn, Listener } from "./transport.ts";

const NEVER = new AbortController().signal;

interface Met {
  readonly network: MemoryNetwork;
  readonly listener: Listener;
  readonly near: Conn;
  readonly far: Conn;
}

async function met(options: MemoryNetworkOptions = {}): Promise<Met> {
  const network = memoryNetwork(options);
  const listener = network.listen("far:1");
  const near = await network.dialer("far:1").dial(NEVER);
  const far = await listener.accept();
  assert(far !== undefined);
  return { network, listener, near, far };
}

async function refused(network: MemoryNetwork): Promise<string> {
  const error = await assertRejects(
    () => network.dialer("far:1").dial(NEVER),
    SftpxError,
  );
  return error.code;
}

Deno.test("memory: a dial to nobody is unreachable", async () => {
  assertEquals(await refused(memoryNetwork()), "unreachable");
});

Deno.test("memory: an address is listened on once, and again after it was closed", async () => {
  const { network, listener } = await met();
  const error = assertThrows(() => network.listen("far:1"), SftpxError);
  assertEquals(error.code, "config");
  const accepting = listener.accept();
  listener.close();
  assertEquals(await accepting, undefined);
  assertEquals(await listener.accept(), undefined);
  assertEquals(await refused(network), "unreachable");
  const again = network.listen("far:1");
  listener.close(); // of the old one: this takes nothing from the new one
  await network.dialer("far:1").dial(NEVER);
  assert(await again.accept() !== undefined);
});

Deno.test("memory: peers that nobody accepts are turned away", async () => {
  const network = memoryNetwork({ maxWaiting: 1 });
  const listener = network.listen("far:1");
  const waiting = await network.dialer("far:1").dial(NEVER);
  assertEquals(await refused(network), "peer-busy");
  listener.close();
  assertEquals((await waiting.closed).code, "peer-busy");
});

Deno.test("memory: a peer that left while it waited is not accepted", async () => {
  const network = memoryNetwork();
  const listener = network.listen("far:1");
  (await network.dialer("far:1").dial(NEVER)).close();
  const second = await network.dialer("far:1").dial(NEVER);
  const far = await listener.accept();
  second.close("cancelled", "the second");
  assertEquals((await far?.closed)?.reason, "the second");
});

Deno.test("memory: nothing moves while a connection is frozen, and all of it after", async () => {
  const { network, near, far } = await met();
  const send = await near.openUni();
  await send.write(Uint8Array.of(1));
  const receive = await far.acceptUni();
  assert(receive !== undefined);
  network.freeze(far);
  const late = await near.openUni(); // opened while frozen: frozen as well
  let moved = 0;
  const note = (): number => moved++;
  const all = [
    receive.readFully(new Uint8Array(2)).then(note),
    send.write(Uint8Array.of(2)).then(note),
    late.write(Uint8Array.of(3)).then(note),
  ];
  await settle();
  assertEquals(moved, 0);
  network.thaw(near);
  await Promise.all(all);
  assertEquals(moved, 3);
});

Deno.test("memory: an end that moves has another address for its peer alone", async () => {
  const { network, near, far } = await met();
  const before = near.remote;
  network.move(near, "elsewhere:2");
  assertEquals([near.remote, far.remote], [before, "elsewhere:2"]);
});

Deno.test("memory: a dial can be given up", async () => {
  const network = memoryNetwork();
  network.listen("far:1");
  await assertRejects(() =>
    network.dialer("far:1").dial(AbortSignal.abort(new Error("enough")))
  );
});
