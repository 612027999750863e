/**
 * How much a TCP socket takes ahead of what it sends.
 */
import { assert, assertEquals } from "@std/assert";
import { withSocket } from "../../transport/system_socket.ts";
import { limitUnsent, UNSENT_BYTES } from "../../transport/unsent.ts";
import { accepted, assertSame, receiveAll, sendAll } from "./contract_kit.ts";
import { tlsPair, tlsSides } from "./tls_pair.ts";

const LOCAL = "127.0.0.1";

/** What limits the socket that is bound there, as Linux tells it. */
function limitOf(address: Deno.NetAddr): number | undefined {
  return withSocket({ kind: "tcp", address }, ({ get }) => get(6, 25));
}

Deno.test("what a socket takes ahead can be limited, by itself", async () => {
  using listener = Deno.listen({ hostname: LOCAL, port: 0 });
  const dial = () =>
    Deno.connect({ hostname: LOCAL, port: listener.addr.port });
  using one = await dial();
  using other = await dial();
  using _far = await listener.accept();
  using _other = await listener.accept();
  const limit = limitUnsent(one.localAddr as Deno.NetAddr);
  if (limitOf(one.localAddr as Deno.NetAddr) === undefined) return; // not here
  assertEquals(limit, UNSENT_BYTES);
  assert(limitOf(other.localAddr as Deno.NetAddr) !== UNSENT_BYTES);
  assertEquals(limitUnsent({ hostname: LOCAL, port: 1 }), undefined);
});

Deno.test("tls: streams take little ahead, and all of what they carry arrives", async () => {
  const { connect } = Deno;
  const dialled: Deno.NetAddr[] = [];
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    const conn = await connect(options);
    dialled.push(conn.localAddr as Deno.NetAddr);
    return conn;
  }) as typeof connect;
  let pair;
  try {
    pair = await tlsPair(tlsSides());
    const bytes = new Uint8Array(5 * UNSENT_BYTES).map((_, at) => at);
    const [got] = await Promise.all([
      accepted(pair.far).then(receiveAll),
      sendAll(pair.near, bytes),
    ]);
    assertSame(got, bytes);
    const limits = dialled.map(limitOf);
    if (limits.every((limit) => limit === undefined)) return;
    assert(limits.includes(UNSENT_BYTES), `${limits}`);
  } finally {
    Deno.connect = connect;
    await pair?.stop();
  }
});
