import { assert, assertEquals, assertGreater } from "@std/assert";
import { raiseSocketBuffers } from "./socket_buffers.ts";

function bound(hostname: string): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
}

function addressOf(socket: Deno.DatagramConn): Deno.NetAddr {
  assert(socket.addr.transport === "udp");
  return socket.addr;
}

const LINUX = Deno.build.os === "linux";
const SMALL = 1; // smaller than any socket's: only asks

Deno.test({
  name: "the buffers of one socket grow, and those of others stay",
  ignore: !LINUX,
  fn() {
    for (const hostname of ["127.0.0.1", "0.0.0.0", "::1", "::"]) {
      const [one, other] = [bound(hostname), bound(hostname)];
      try {
        const before = raiseSocketBuffers(addressOf(one), SMALL);
        const raised = raiseSocketBuffers(addressOf(one), 400_000);
        assert(before !== undefined && raised !== undefined, hostname);
        assertGreater(raised.receiveBytes, before.receiveBytes);
        assertGreater(raised.sendBytes, before.sendBytes);
        assertEquals(raiseSocketBuffers(addressOf(other), SMALL), before);
      } finally {
        one.close();
        other.close();
      }
    }
  },
});

Deno.test({
  name: "buffers never become smaller",
  ignore: !LINUX,
  fn() {
    const socket = bound("127.0.0.1");
    const large = raiseSocketBuffers(addressOf(socket), 400_000);
    assertEquals(raiseSocketBuffers(addressOf(socket), 300_000), large);
    socket.close();
  },
});

Deno.test("of a socket that is not ours nothing is known", () => {
  assertEquals(
    raiseSocketBuffers({ hostname: "127.0.0.1", port: 1 }, 400_000),
    undefined,
  );
  assertEquals(
    raiseSocketBuffers({ hostname: "not an address", port: 1 }, 400_000),
    undefined,
  );
});

Deno.test({
  name: "without the permission nothing happens, and nobody is asked",
  permissions: { net: true, ffi: false, read: false },
  fn() {
    const socket = bound("127.0.0.1");
    assertEquals(raiseSocketBuffers(addressOf(socket), 400_000), undefined);
    socket.close();
  },
});

Deno.test({
  name: "without /proc the socket is found all the same",
  ignore: !LINUX,
  permissions: { net: true, ffi: true, read: false },
  fn() {
    const socket = bound("127.0.0.1");
    assert(raiseSocketBuffers(addressOf(socket), 400_000) !== undefined);
    socket.close();
  },
});
