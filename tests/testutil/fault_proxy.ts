/**
 * A bad network between clients and one server: a UDP proxy on loopback.
 *
 * Each client has a socket of its own towards the server, as behind a NAT.
 * `rebind` gives it another one, so that the server sees another address.
 *
 * In the test's process: `await faultProxy({ target })`. As a process of its
 * own, so that both can use a whole core: `await spawnFaultProxy({ target })`,
 * or by hand
 *
 *     deno run -A tests/testutil/fault_proxy.ts --target 127.0.0.1:4433
 *
 * which says where it listens, as JSON, and then takes one JSON array a line on
 * stdin, such as `["set","up",{"drop":0.1}]` or `["rebind"]`, and answers each
 * with one line. It ends when stdin does.
 *
 * @module
 */
import { raiseSocketBuffers } from "../../transport/socket_buffers.ts";
import {
  type Counters,
  type FaultPath,
  faultPath,
  type Faults,
} from "./fault_path.ts";
import { controlled, serveControl } from "./fault_control.ts";
import { seeded } from "./random.ts";

/** `up` is from the clients to the server. */
export type Direction = "up" | "down";

/** Where it stands. */
export interface FaultProxyOptions {
  /** The server. */
  readonly target: { readonly hostname: string; readonly port: number };
  /** What decides the fate of datagrams. @default {1} */
  readonly seed?: number;
  /** How many of the last datagrams of each direction are kept for `replay`. @default {64} */
  readonly keep?: number;
}

/** A proxy that can be told what to do to datagrams. */
export interface FaultProxy {
  readonly hostname: string;
  /** Where clients dial. */
  readonly port: number;
  set(direction: Direction | "both", faults: Partial<Faults>): Promise<void>;
  /** From now on the server sees other ports, on `hostname` if given; the old ones are closed. */
  rebind(hostname?: string): Promise<readonly number[]>;
  /** As `rebind`, on another address of loopback. */
  moveHost(hostname: string): Promise<readonly number[]>;
  /**
   * Sends `bytes` that nobody sent: from an address that is not known there, or
   * from where the true ones come.
   */
  inject(
    direction: Direction,
    bytes: Uint8Array,
    from: "stranger" | "peer",
  ): Promise<void>;
  /** Sends the last datagrams of a direction again, and says how many they were. */
  replay(direction: Direction, from: "stranger" | "peer"): Promise<number>;
  counters(): Promise<Record<Direction, Readonly<Counters>>>;
  close(): Promise<void>;
}

interface Flow {
  readonly client: Deno.NetAddr;
  back: Deno.DatagramConn;
}

const LOOPBACK = "127.0.0.1";
/** Clients beyond these are ignored. */
const MAX_CLIENTS = 1024;
const SOCKET_BYTES = 8 * 1024 * 1024;
const MAX_DATAGRAM = 65_536;

/** Starts a proxy in this process. */
export function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { seed = 1, keep = 64 } = options;
  const target: Deno.NetAddr = { transport: "udp", ...options.target };
  const front = bind(LOOPBACK);
  const { port } = front.addr as Deno.NetAddr;
  const flows = new Map<string, Flow>();
  const paths: Record<Direction, FaultPath> = {
    up: faultPath(seeded(seed)),
    down: faultPath(seeded(seed + 1)),
  };
  const kept: Record<Direction, Uint8Array[]> = { up: [], down: [] };
  const loops = new Set<Promise<void>>();
  let open = true;
  let host = LOOPBACK;

  const loop = (
    socket: Deno.DatagramConn,
    take: (bytes: Uint8Array, from: Deno.NetAddr) => Promise<void>,
  ): void => {
    const run = (async () => {
      const buffer = new Uint8Array(MAX_DATAGRAM);
      for (;;) {
        try {
          const [bytes, from] = await socket.receive(buffer);
          await take(bytes, from as Deno.NetAddr);
        } catch (error) {
          if (isClosed(error)) return;
          throw error;
        }
      }
    })().finally(() => loops.delete(run));
    loops.add(run);
  };

  const pass = async (
    direction: Direction,
    bytes: Uint8Array,
    flow: Flow,
  ): Promise<void> => {
    if (keep > 0) {
      const last = kept[direction];
      last.push(bytes.slice());
      if (last.length > keep) last.shift();
    }
    await paths[direction].pass(
      bytes,
      (bytes) => asPeer(direction, bytes, flow),
    );
  };

  const asPeer = (
    direction: Direction,
    bytes: Uint8Array,
    flow: Flow,
  ): Promise<void> =>
    direction === "up"
      ? put(flow.back, bytes, target)
      : put(front, bytes, flow.client);

  const openBack = (flow: { readonly client: Deno.NetAddr }): Flow => {
    const back = bind(host);
    const made = Object.assign(flow, { back });
    loop(back, async (bytes, from) => {
      if (from.port !== target.port) return; // not the server's
      await pass("down", bytes, made);
    });
    return made;
  };

  loop(front, async (bytes, client) => {
    const key = `${client.hostname}:${client.port}`;
    let flow = flows.get(key);
    if (flow === undefined) {
      if (flows.size >= MAX_CLIENTS) return;
      flows.set(key, flow = openBack({ client }));
    }
    await pass("up", bytes, flow);
  });

  const inject: FaultProxy["inject"] = async (direction, bytes, from) => {
    const stranger = from === "stranger" ? bind(host) : undefined;
    try {
      for (const flow of flows.values()) {
        paths[direction].counters.injected++;
        if (stranger === undefined) await asPeer(direction, bytes, flow);
        else {
          await put(stranger, bytes, direction === "up" ? target : flow.client);
        }
      }
    } finally {
      stranger?.close();
    }
  };

  const proxy: FaultProxy = {
    hostname: LOOPBACK,
    port,
    set(direction, faults) {
      if (direction !== "down") paths.up.set(faults);
      if (direction !== "up") paths.down.set(faults);
      return Promise.resolve();
    },
    rebind(hostname = host) {
      host = hostname;
      const ports: number[] = [];
      for (const flow of flows.values()) {
        const old = flow.back;
        const { back } = openBack(flow);
        ports.push((back.addr as Deno.NetAddr).port);
        old.close();
      }
      return Promise.resolve(ports);
    },
    moveHost: (hostname) => proxy.rebind(hostname),
    inject,
    async replay(direction, from) {
      const again = [...kept[direction]];
      for (const bytes of again) await inject(direction, bytes, from);
      return again.length;
    },
    counters: () =>
      Promise.resolve({
        up: { ...paths.up.counters },
        down: { ...paths.down.counters },
      }),
    async close() {
      if (!open) return;
      open = false;
      front.close();
      for (const flow of flows.values()) flow.back.close();
      paths.up.close();
      paths.down.close();
      await Promise.all(loops);
    },
  };
  return Promise.resolve(proxy);
}

/** Starts a proxy in a process of its own. */
export function spawnFaultProxy(
  options: FaultProxyOptions,
): Promise<FaultProxy> {
  return controlled(new URL(import.meta.url), options);
}

function bind(hostname: string): Deno.DatagramConn {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  raiseSocketBuffers({ hostname, port }, SOCKET_BYTES);
  return socket;
}

/** Sends what can be sent: a datagram that cannot is lost, as on any network. */
async function put(
  socket: Deno.DatagramConn,
  bytes: Uint8Array,
  to: Deno.NetAddr,
): Promise<void> {
  try {
    await socket.send(bytes, to);
  } catch {
    // closed by `rebind`, refused by the other end, or too many at once
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted;
}

if (import.meta.main) await serveControl(Deno.args, faultProxy);
