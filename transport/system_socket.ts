/**
 * The system's own calls for sockets, where it lets us: the platform has none
 * for what is set here. All of it is best effort.
 *
 * @module
 */
import type { HostPort } from "./address.ts";

/** A socket of this process. */
export interface SystemSocket {
  get(level: number, name: number): number | undefined;
  set(level: number, name: number, value: number): void;
}

/** What identifies a socket. */
export interface SocketSearch {
  readonly kind: "udp" | "tcp";
  /** What it is bound to. */
  readonly address: HostPort;
}

/**
 * Does something to the first socket of this process that is bound to an address.
 *
 * @returns What `use` gave; `undefined` where there is no such socket, or the
 * system or its permissions do not allow it.
 */
export function withSocket<T>(
  { kind, address }: SocketSearch,
  use: (socket: SystemSocket) => T,
): T | undefined {
  return withLibc((libc, system) => {
    const type = kind === "udp" ? SOCK_DGRAM : SOCK_STREAM;
    const fd = descriptors().find((fd) =>
      getOption(libc, fd, system.level, system.type) === type &&
      isSame(addressOf(libc, fd, system, "getsockname"), address)
    );
    if (fd === undefined) return undefined;
    return use({
      get: (level, name) => getOption(libc, fd, level, name),
      set: (level, name, value) => setOption(libc, fd, level, name, value),
    });
  });
}

/**
 * Ends the TCP connections of `peers` to our port `port`, whatever the platform
 * is waiting for on them.
 *
 * @returns How many there were; `undefined` where it cannot be done.
 */
export function shutDownPeers(
  port: number,
  peers: readonly HostPort[],
): number | undefined {
  return withLibc((libc, system) => {
    const wanted = new Set(
      peers.map(({ hostname, port }) => `${hostOf(hostname)} ${port}`),
    );
    let count = 0;
    for (const fd of descriptors()) {
      const peer = addressOf(libc, fd, system, "getpeername");
      if (peer === undefined) continue;
      if (!wanted.has(`${peer.hostname} ${peer.port}`)) continue;
      if (addressOf(libc, fd, system, "getsockname")?.port !== port) continue;
      if (libc.shutdown(fd, SHUT_RDWR) === 0) count++;
    }
    return count;
  });
}

/** Runs `use` where there is a C library that we may call. */
function withLibc<T>(
  use: (libc: Libc, system: System) => T | undefined,
): T | undefined {
  const system = SYSTEMS[Deno.build.os];
  if (system === undefined || !permitted()) return undefined;
  try {
    const { symbols: libc, close } = open(system.library);
    try {
      return use(libc, system);
    } finally {
      close();
    }
  } catch {
    return undefined; // another libc, no /proc: the socket works as it is
  }
}

function isSame(one: HostPort | undefined, other: HostPort): boolean {
  return one?.port === other.port && one.hostname === hostOf(other.hostname);
}

/** How a system calls things. */
interface System {
  readonly library: readonly string[];
  readonly level: number;
  readonly type: number;
  readonly inet6: number;
}

const SYSTEMS: { readonly [os: string]: System } = {
  linux: {
    library: ["libc.so.6", "libc.so"],
    level: 1,
    type: 3,
    inet6: 10,
  },
  darwin: {
    library: ["libSystem.dylib"],
    level: 0xffff,
    type: 0x1008,
    inet6: 30,
  },
};

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SHUT_RDWR = 2;
const AF_INET = 2;
/** Descriptors that are looked at where the system cannot list them. */
const MAX_DESCRIPTORS = 1024;

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

function permitted(): boolean {
  // Asked for, not tried: trying would ask the person at the terminal.
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

function open(names: readonly string[]): {
  readonly symbols: Libc;
  readonly close: () => void;
} {
  for (const name of names) {
    try {
      const library = Deno.dlopen(name, SYMBOLS);
      return { symbols: library.symbols, close: () => library.close() };
    } catch {
      // the next name
    }
  }
  throw new Error("no libc");
}

function descriptors(): number[] {
  const path = "/proc/self/fd";
  if (
    Deno.build.os === "linux" &&
    Deno.permissions.querySync({ name: "read", path }).state === "granted"
  ) {
    return [...Deno.readDirSync(path)].map(({ name }) => Number(name));
  }
  return Array.from({ length: MAX_DESCRIPTORS }, (_, fd) => fd);
}

/** The address of a socket, ours or the peer's. */
function addressOf(
  libc: Libc,
  fd: number,
  system: System,
  whose: "getsockname" | "getpeername",
): HostPort | undefined {
  const name = new Uint8Array(128);
  const length = new Uint32Array([name.length]);
  if (libc[whose](fd, name, length) !== 0) return undefined;
  const view = new DataView(name.buffer);
  // macOS has the length in the first byte and the family in the second.
  const family = Deno.build.os === "darwin"
    ? view.getUint8(1)
    : new Uint16Array(name.buffer, 0, 1)[0];
  const port = view.getUint16(2);
  if (family === AF_INET) return { hostname: name.slice(4, 8).join("."), port };
  if (family !== system.inet6) return undefined;
  const groups = Array.from(
    { length: 8 },
    (_, i) => view.getUint16(8 + 2 * i).toString(16),
  );
  return { hostname: hostOf(groups.join(":")), port };
}

/** An IPv6 address in the one form that a URL gives it; any other host as it is. */
function hostOf(hostname: string): string {
  const [address = ""] = hostname.split("%");
  return URL.parse(`http://[${address}]`)?.hostname ?? hostname;
}

function getOption(
  libc: Libc,
  fd: number,
  level: number,
  name: number,
): number | undefined {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  const failed = libc.getsockopt(fd, level, name, value, length) !== 0;
  return failed ? undefined : value[0];
}

function setOption(
  libc: Libc,
  fd: number,
  level: number,
  name: number,
  bytes: number,
): void {
  libc.setsockopt(fd, level, name, new Int32Array([bytes]), 4);
}
