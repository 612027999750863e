import { assertEquals } from "@std/assert";
import {
  createSideDials,
  type SideDialer,
  type SideDials,
} from "../../actors/side_dials.ts";
import {
  createSidePorts,
  type OpenSidePort,
  type SidePort,
} from "../../actors/side_ports.ts";
import { type ErrorCode, SftpxError } from "../../core/errors.ts";
import { nullLog } from "../../core/log.ts";
import { memoryNetwork } from "../../transport/memory.ts";
import type { Conn, Dialer } from "../../transport/transport.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";

const { signal } = new AbortController();

const none: OpenSidePort = () =>
  Promise.reject(new SftpxError("peer-busy", "Cannot open port: no thread"));

/** Ports from 5000 on, of which `load` connections are open. */
function pool(fails: (index: number) => boolean = () => false) {
  const loads = new Map<number, number>();
  const closed: number[] = [];
  const quic: OpenSidePort = (index, _arrived) => {
    if (fails(index)) {
      return Promise.reject(new SftpxError("config", "Cannot bind: taken"));
    }
    const port = 5000 + index;
    const made: SidePort = {
      port,
      get load() {
        return loads.get(port) ?? 0;
      },
      close: () => void closed.push(port),
    };
    return Promise.resolve(made);
  };
  const ports = createSidePorts({ quic, tcp: none }, nullLog);
  return { ports, loads, closed };
}

Deno.test("side ports are opened when they are wanted, once, and the idlest is named first", async () => {
  const { ports, loads, closed } = pool();
  const [two, one] = await Promise.all([
    ports.take("quic", 2),
    ports.take("quic", 1),
  ]);
  assertEquals([two, one], [[5000, 5001], [5000]]);
  loads.set(5000, 2);
  loads.set(5001, 1);
  assertEquals(await ports.take("quic", 3), [5002, 5001, 5000]);
  assertEquals(await ports.take("quic", 1), [5002]);
  assertEquals((await ports.take("quic", 100)).length, 15);
  ports.close();
  assertEquals(closed.length, 15);
  assertEquals((await ports.take("quic", 15)).length, 15); // and no more are made
});

Deno.test("side ports that cannot be had are not tried again", async () => {
  let tries = 0;
  const { ports } = pool((index) => index === 2 && ++tries > 0);
  assertEquals(await ports.take("quic", 5), [5000, 5001]);
  assertEquals(await ports.take("quic", 6), [5000, 5001]);
  assertEquals(tries, 1);
});

Deno.test("who comes by a side port waits for the reception, and too many are turned away", async () => {
  const network = memoryNetwork({ maxWaiting: 100 });
  const listener = network.listen("memory:side");
  let arrived: (conn: Conn) => void = () => {};
  const quic: OpenSidePort = (_, arrives) => {
    arrived = arrives;
    return Promise.resolve({ port: 5000, load: 0, close() {} });
  };
  const ports = createSidePorts({ quic, tcp: none }, nullLog);
  await ports.take("quic", 1);
  const peers: Conn[] = [];
  for (let n = 0; n < 65; n++) {
    peers.push(await network.dialer("memory:side").dial(signal));
    const conn = await listener.accept();
    if (conn) arrived(conn);
  }
  assertEquals((await peers[64]?.closed)?.code, "peer-busy");
  const first = await ports.door.next(signal);
  first?.close("cancelled");
  assertEquals((await peers[0]?.closed)?.code, "cancelled");
  ports.door.close();
  ports.close();
  assertEquals((await peers[63]?.closed)?.code, "peer-busy");
});

/** A connection over which nothing is said. */
function conn(remote: string, fields: Partial<Conn> = {}): Conn & {
  end(): void;
} {
  const closed = Promise.withResolvers<
    { code: undefined; reason: string; remote: boolean }
  >();
  const never = (): Promise<never> => new Promise(() => {});
  const end = (): void =>
    closed.resolve({ code: undefined, reason: "", remote: true });
  return {
    carrier: "quic",
    remote,
    closed: closed.promise,
    ...{ openBidi: never, openUni: never },
    ...{ acceptBidi: never, acceptUni: never },
    close: end,
    end,
    ...fields,
  };
}

/** A sender with a first connection to 192.0.2.1:4443. */
function sender(
  reach: (port: number) => boolean | "never" | ErrorCode = () => true,
  options: { first?: Partial<Conn>; connections?: number } = {},
) {
  const clock = new FakeClock();
  const wants: number[] = [];
  const dialer: SideDialer = ({ hostname, port }, congestion) => ({
    async dial(signal) {
      const reached = reach(port);
      if (reached === "never") await clock.delay(60_000, signal);
      if (reached === true) return conn(`${congestion} ${hostname}:${port}`);
      const code = typeof reached === "string" && reached !== "never"
        ? reached
        : "unreachable";
      throw new SftpxError(code, "Cannot reach it");
    },
  });
  const side = createSideDials({
    dialer,
    connections: options.connections ?? 4,
    clock,
    log: nullLog,
  });
  const main: Dialer = { dial: () => Promise.resolve(conn("first port")) };
  const begin = (portsWanted = 0): void =>
    side.begin({
      portsWanted,
      conn: conn("192.0.2.1:4443", options.first),
      tripMs: 100,
      want: (_, count) => void wants.push(count),
    });
  begin();
  const dialled = (given: SideDials = side): Promise<Conn> =>
    given.dial({
      congestion: "cubic",
      connect: (dialer, signal) => (dialer ?? main).dial(signal),
      signal,
    });
  return {
    clock,
    side,
    wants,
    begin,
    dialled,
    dial: async () => (await dialled()).remote,
  };
}

Deno.test("a further connection asks for a port, goes there, and asks for the next one at once", async () => {
  const { dial, dialled, side, wants, clock } = sender();
  const first = dialled();
  await settle();
  assertEquals(wants, [2]);
  side.heard("quic", [5001, 5002]);
  const one = await first;
  assertEquals(one.remote, "cubic 192.0.2.1:5001");
  assertEquals(await dial(), "cubic 192.0.2.1:5002"); // known before it was needed
  assertEquals(wants, [2, 3]);
  side.heard("quic", [5001, 5002, 5003]);
  assertEquals(await dial(), "cubic 192.0.2.1:5003");
  one.close(); // its port is free again
  await settle();
  assertEquals(await dial(), "cubic 192.0.2.1:5001");
  assertEquals(wants, [2, 3]);
  assertEquals(clock.pending, 0);
});

Deno.test("connections that are dialled at the same time have a port each", async () => {
  const { dial, side, wants } = sender();
  const three = Promise.all([dial(), dial(), dial()]);
  await settle();
  assertEquals(wants, [2, 3]); // there are three at most
  side.heard("quic", [5001, 5002]);
  side.heard("quic", [5001, 5002, 5003]);
  assertEquals((await three).toSorted(), [
    "cubic 192.0.2.1:5001",
    "cubic 192.0.2.1:5002",
    "cubic 192.0.2.1:5003",
  ]);
});

Deno.test("ports that were wanted with the offer are not asked for again", async () => {
  const { dial, side, wants, begin } = sender();
  assertEquals(side.early(conn("192.0.2.1:4443"), 1000), 3);
  assertEquals(side.early(conn("192.0.2.1:4443"), 200), 2);
  assertEquals(side.early(conn("192.0.2.1:4443"), 100), 0);
  assertEquals(side.early(conn("x", { path: "punched" }), 1000), 0);
  begin(3);
  const three = Promise.all([dial(), dial(), dial()]);
  await settle();
  assertEquals(wants, []);
  side.heard("quic", [5001, 5002, 5003]);
  assertEquals(new Set(await three).size, 3);
  assertEquals(wants, []);
});

Deno.test("a receiver that names no ports is not waited for long, and is joined by the first port", async () => {
  const { dial, side, clock } = sender();
  const first = dial();
  await clock.advance(1199);
  assertEquals(await Promise.race([first, Promise.resolve("waits")]), "waits");
  await clock.advance(1);
  assertEquals(await first, "first port");
  side.heard("quic", []);
  const second = dial();
  await settle();
  side.heard("quic", []);
  assertEquals(await second, "first port");
});

Deno.test("a port that cannot be reached costs some seconds once: after that all go by the first port", async () => {
  let tries = 0;
  const { dial, side, clock, begin } = sender(() => {
    tries++;
    return "never";
  });
  const first = dial();
  await settle();
  side.heard("quic", [5001, 5002]);
  await clock.advance(2399);
  assertEquals(await Promise.race([first, Promise.resolve("waits")]), "waits");
  await clock.advance(1);
  assertEquals(await first, "first port");
  assertEquals(await dial(), "first port");
  begin(); // another connection of the session
  assertEquals(await dial(), "first port");
  assertEquals(tries, 1);
  assertEquals(clock.pending, 0);
});

Deno.test("a port that turns us away is given up at once", async () => {
  const { dial, side } = sender(() => false);
  const first = dial();
  await settle();
  side.heard("quic", [5001]);
  assertEquals(await first, "first port");
});

Deno.test("a port whose receiver is between two connections, or goes as we come, is tried again", async () => {
  const codes: ErrorCode[] = ["peer-busy", "connection-lost"];
  const { dial, side, begin } = sender(() => codes.pop() ?? true);
  const first = dial();
  await settle();
  side.heard("quic", [5001]);
  assertEquals(await first, "first port");
  assertEquals(await dial(), "first port");
  begin();
  const again = dial();
  await settle();
  side.heard("quic", [5001]);
  assertEquals(await again, "cubic 192.0.2.1:5001");
});

Deno.test("a port at which somebody else is is given up", async () => {
  const { dial, side } = sender(() => "unauthorized");
  const first = dial();
  await settle();
  side.heard("quic", [5001]);
  assertEquals(await first, "first port");
  assertEquals(side.early(conn("192.0.2.1:4443"), 1000), 0);
});

Deno.test("the port that was dialled is no side port, and what was known is void with another connection", async () => {
  const { dial, side, wants, begin } = sender();
  const first = dial();
  await settle();
  side.heard("quic", [4443, 5002]);
  assertEquals(await first, "cubic 192.0.2.1:5002");
  begin();
  const second = dial();
  await settle();
  assertEquals(wants, [2, 2]);
  side.heard("quic", [6001, 6002]);
  assertEquals(await second, "cubic 192.0.2.1:6001");
});

Deno.test("ports of a carrier are asked for and known by themselves", async () => {
  const { ports } = pool();
  assertEquals(await ports.take("tcp", 3), []);
  assertEquals(await ports.take("quic", 1), [5000]);
  const { side, clock, dial } = sender();
  const asked = side.places("tcp", 3, signal);
  await settle();
  side.heard("quic", [5001]);
  side.heard("tcp", [4443, 4444]);
  const hostname = "192.0.2.1";
  assertEquals(await asked, [{ hostname, port: 4444 }]);
  assertEquals(await side.places("tcp", 3, signal), [{ hostname, port: 4444 }]);
  assertEquals(await dial(), "cubic 192.0.2.1:5001");
  assertEquals(clock.pending, 0);
});

Deno.test("where a receiver was not dialled by its address, or not by QUIC, nobody asks for ports", async () => {
  const others: Partial<Conn>[] = [
    { carrier: "tcp" },
    { path: "punched" },
    { path: "relayed" },
    { remote: "[fe80::1%eth0]:4443" },
  ];
  for (const first of others) {
    const { dial, wants } = sender(() => true, { first });
    assertEquals(await dial(), "first port");
    assertEquals(wants, []);
  }
});
