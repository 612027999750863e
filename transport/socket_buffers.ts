/**
 * Makes the buffers of one of our UDP sockets larger.
 *
 * The platform leaves them as they are, some 200 KB: bursts of a fast path do
 * not fit, and congestion control takes what is dropped for a full network.
 * There is no call for it but the system's own, so it is done by FFI, best
 * effort: where that is not possible or not permitted, nothing happens.
 *
 * @module
 */
import type { HostPort } from "./address.ts";

/** What a socket holds, in bytes as the kernel counts them. */
export interface SocketBuffers {
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

/**
 * Raises the buffers of the UDP socket that is bound to `address` to `bytes`,
 * or to what the kernel allows. It never makes them smaller.
 *
 * @returns What the socket holds now; `undefined` where that cannot be known.
 */
export function raiseSocketBuffers(
  address: HostPort,
  bytes: number,
): SocketBuffers | undefined {
  const system = SYSTEMS[Deno.build.os];
  if (system === undefined || !permitted()) return undefined;
  try {
    const { symbols: libc, close } = open(system.library);
    try {
      return raise(libc, system, address, bytes);
    } finally {
      close();
    }
  } catch {
    return undefined; // another libc, no /proc: the socket works as it is
  }
}

/** How a system calls things. */
interface System {
  readonly library: readonly string[];
  readonly level: number;
  readonly type: number;
  readonly receive: readonly number[];
  readonly send: readonly number[];
  readonly inet6: number;
}

const SYSTEMS: { readonly [os: string]: System } = {
  linux: {
    library: ["libc.so.6", "libc.so"],
    level: 1,
    type: 3,
    receive: [33, 8], // SO_RCVBUFFORCE, for root, then SO_RCVBUF
    send: [32, 7],
    inet6: 10,
  },
  darwin: {
    library: ["libSystem.dylib"],
    level: 0xffff,
    type: 0x1008,
    receive: [0x1002],
    send: [0x1001],
    inet6: 30,
  },
};

const SOCK_DGRAM = 2;
const AF_INET = 2;
/** Descriptors that are looked at where the system cannot list them. */
const MAX_DESCRIPTORS = 1024;
/** Below this a refused size is not tried again. */
const MIN_BYTES = 256 * 1024;

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
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

function raise(
  libc: Libc,
  system: System,
  address: HostPort,
  bytes: number,
): SocketBuffers | undefined {
  const fd = descriptors().find((fd) =>
    getOption(libc, fd, system.level, system.type) === SOCK_DGRAM &&
    boundTo(libc, fd, system, address)
  );
  if (fd === undefined) return undefined;
  const grow = (names: readonly number[]): number => {
    const read = names.at(-1) ?? 0;
    const get = (): number => getOption(libc, fd, system.level, read) ?? 0;
    for (const name of names) {
      for (let size = bytes; size >= MIN_BYTES && get() < bytes; size /= 2) {
        if (get() < size) setOption(libc, fd, system.level, name, size);
      }
    }
    return get();
  };
  return { receiveBytes: grow(system.receive), sendBytes: grow(system.send) };
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

function boundTo(
  libc: Libc,
  fd: number,
  system: System,
  { hostname, port }: HostPort,
): boolean {
  const name = new Uint8Array(128);
  const length = new Uint32Array([name.length]);
  if (libc.getsockname(fd, name, length) !== 0) return false;
  const view = new DataView(name.buffer);
  // macOS has the length in the first byte and the family in the second.
  const family = Deno.build.os === "darwin"
    ? view.getUint8(1)
    : new Uint16Array(name.buffer, 0, 1)[0];
  if (view.getUint16(2) !== port) return false;
  if (family === AF_INET) return hostname === name.slice(4, 8).join(".");
  if (family !== system.inet6) return false;
  const groups = Array.from(
    { length: 8 },
    (_, i) => view.getUint16(8 + 2 * i).toString(16),
  );
  const [host = ""] = hostname.split("%");
  return hostOf(groups.join(":")) === hostOf(host);
}

/** An IPv6 address in the one form that a URL gives it. */
function hostOf(address: string): string | undefined {
  return URL.parse(`http://[${address}]`)?.hostname;
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
